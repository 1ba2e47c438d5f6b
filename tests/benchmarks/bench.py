"""Measures the promises of the project, each against a floor of the same run: make bench."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table
from tests.benchmarks import checks, commands, endpoint, jobs, orchestration, storage
from tests.benchmarks.measure import Row

BENCHMARKS: dict[str, Callable[[], AsyncIterator[Row]]] = {
    "steps": orchestration.per_step,
    "memory": orchestration.in_memory,
    "plan": orchestration.planning,
    "check": commands.check,
    "container": jobs.container,
    "parallel": jobs.parallel,
    "data": jobs.data,
    "checks": checks.data_quality,
    "listing": endpoint.listing,
    "objects": storage.large_object,
}
VERDICT = {True: "[green]kept[/]", False: "[red]missed[/]", None: ""}


async def measure(names: Sequence[str], console: Console) -> list[Row]:
    rows = []
    for name in names:
        console.print(f"[dim]measuring {name} …[/]")
        try:
            rows += [row async for row in BENCHMARKS[name]()]
        except Exception as error:  # one broken measurement must not hide the others
            rows.append(Row(name, kept=False, note=f"{type(error).__name__}: {error}"))
    return rows


def figure(value: float) -> str:
    """Three digits that count, whatever the size."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def table(rows: Sequence[Row]) -> Table:
    report = Table(title="sagelocal, measured against floors of the same run")
    for column in ("what", "measured", "floor", "ratio", "promise", "", "note"):
        report.add_column(column, justify="right" if column in {"measured", "floor", "ratio"} else "left")
    for row in rows:
        measured = "–" if row.measured is None else f"{figure(row.measured)} {row.unit}"
        floor = "" if row.floor is None else f"{figure(row.floor)} {row.unit}"
        ratio = "" if row.ratio is None else f"{row.ratio:.2f} ×"
        report.add_row(row.what, measured, floor, ratio, row.promise, VERDICT[row.kept], row.note)
    return report


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *BENCHMARKS], help="which; all when none is named")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the JSON there instead of printing it"
    )
    parser.add_argument("--strict", action="store_true", help="fail when a promise is not kept")
    wanted = parser.parse_args()
    console = Console()
    rows = asyncio.run(measure(wanted.names or list(BENCHMARKS), console))
    console.print(table(rows))
    console.print(f"load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    document = json.dumps([{**asdict(row), "ratio": row.ratio} for row in rows], ensure_ascii=False)
    if wanted.json:
        wanted.json.write_text(document, encoding="utf-8")
    else:
        print(document)
    return int(wanted.strict and any(row.kept is False for row in rows))


if __name__ == "__main__":
    sys.exit(main())
