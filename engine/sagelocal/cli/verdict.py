"""What ``check`` says about a definition."""

from __future__ import annotations

from pathlib import Path

from sagelocal.cli.checking import looked_at
from sagelocal.cli.faults import say_problems
from sagelocal.cli.output import counted, say, say_json
from sagelocal.errors import DefinitionError


def verdict(source: str, config: Path | None = None, *, as_json: bool = False) -> int:
    """Check the source and print what is wrong with it; the exit code."""
    try:
        found = looked_at(source, config)
    except DefinitionError as error:
        _say_wrong(error, as_json)
        return error.exit_code
    steps, parameters = len(found.plan.steps), len(found.definition.parameters)
    if as_json:
        say_json({"ok": True, "steps": steps, "parameters": parameters, "problems": []})
    else:
        say(f"ok: {counted(steps, 'step')}, {counted(parameters, 'parameter')}")
    return 0


def _say_wrong(error: DefinitionError, as_json: bool) -> None:
    if not as_json:
        say_problems(error.problems)
        return
    problems = [
        {"step": problem.step, "path": problem.path, "message": problem.message, "hint": problem.hint}
        for problem in error.problems
    ]
    say_json({"ok": False, "steps": None, "parameters": None, "problems": problems})
