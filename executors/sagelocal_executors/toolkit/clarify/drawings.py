"""Charts as inline SVG, which need no style and nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

_WIDTH = 720
_LEFT, _RIGHT, _ROW = 210, 110, 24
_COLOURS = ("#2563eb", "#d97706", "#059669", "#9333ea", "#dc2626", "#0891b2")


def bars(rows: Sequence[tuple[str, float]], colour: str = _COLOURS[0]) -> str:
    """Horizontal bars around zero, one for each name; their titles hold what is cut or rounded."""
    least = min([0.0, *(value for _, value in rows)])
    most = max([0.0, *(value for _, value in rows)])
    scale = (_WIDTH - _LEFT - _RIGHT) / ((most - least) or 1.0)
    zero = _LEFT - least * scale
    height = _ROW * max(len(rows), 1)
    parts = [f'<line x1="{zero:.1f}" x2="{zero:.1f}" y1="0" y2="{height}" stroke="#94a3b8"/>']
    for i, (name, value) in enumerate(rows):
        y, x = i * _ROW, zero + min(value, 0.0) * scale
        wide = abs(value) * scale
        title = f"<title>{escape(name)}: {value!r}</title>"
        place = f'x="{x:.1f}" y="{y + 4}" width="{max(wide, 0.5):.1f}" height="{_ROW - 8}" rx="2"'
        parts += [
            _text(_LEFT - 8, y + 16, _short(name), anchor="end", title=title),
            f'<rect {place} fill="{colour}">{title}</rect>',
            _text(x + wide + 6, y + 16, f"{value:.4g}"),
        ]
    return _svg(height, parts)


@dataclass(frozen=True)
class _Grid:
    """Where a point of the data is on the chart."""

    values: Sequence[float]
    low: float
    high: float

    left, right, top, bottom = 80, _WIDTH - 120, 20, 190

    def x(self, value: float) -> float:
        share = (value - self.values[0]) / ((self.values[-1] - self.values[0]) or 1.0)
        return self.left + share * (self.right - self.left)

    def y(self, value: float) -> float:
        share = (value - self.low) / ((self.high - self.low) or 1.0)
        return self.bottom - share * (self.bottom - self.top)


def curve(
    values: Sequence[float], lines: Sequence[tuple[str, Sequence[float]]], shares: Sequence[float]
) -> str:
    """Lines over a grid, with the share of the data at each point as grey columns below."""
    points = [value for _, line in lines for value in line]
    grid = _Grid(values, min(points), max(points))
    return _svg(220, [*_columns(grid, shares), *_lines(grid, lines), *_scales(grid)])


def _columns(grid: _Grid, shares: Sequence[float]) -> Iterator[str]:
    for i, share in enumerate(shares):
        tall = share * (grid.bottom - grid.top)
        x = grid.x(grid.values[i]) - 8
        yield f'<rect x="{x:.1f}" y="{grid.bottom - tall:.1f}" width="16" height="{tall:.1f}" fill="#e2e8f0"/>'


def _lines(grid: _Grid, lines: Sequence[tuple[str, Sequence[float]]]) -> Iterator[str]:
    for i, (name, line) in enumerate(lines):
        colour = _COLOURS[i % len(_COLOURS)]
        track = " ".join(f"{grid.x(grid.values[j]):.1f},{grid.y(value):.1f}" for j, value in enumerate(line))
        yield f'<polyline points="{track}" fill="none" stroke="{colour}" stroke-width="2"/>'
        title = f"<title>{escape(name)}</title>"
        yield _text(grid.right + 6, grid.y(line[-1]) + 4, _short(name, 14), title=title, colour=colour)


def _scales(grid: _Grid) -> Iterator[str]:
    for value in (grid.values[0], grid.values[-1]):
        yield _text(grid.x(value), grid.bottom + 18, f"{value:.4g}", anchor="middle")
    for value in (grid.low, grid.high):
        yield _text(grid.left - 14, grid.y(value) + 4, f"{value:.4g}", anchor="end")


def _text(
    x: float, y: float, text: str, *, anchor: str = "start", title: str = "", colour: str = "#334155"
) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return (
        f'<text {place} font-family="sans-serif" font-size="12" fill="{colour}">{escape(text)}{title}</text>'
    )


def _short(name: str, most: int = 30) -> str:
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _svg(height: int, parts: Sequence[str]) -> str:
    size = f'viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}"'
    return f'<svg {size} role="img">{"".join(parts)}</svg>'
