"""The picture of the results: seconds against the size of the table, on logarithmic axes, as SVG."""

from __future__ import annotations

import math

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 420, 320, 60, 34, 16, 46
COLOURS = ("#0b63c5", "#c2410c", "#6b7280", "#15803d", "#7c3aed")
Series = dict[str, list[tuple[float, float]]]


def draw(panels: list[tuple[str, str, Series]]) -> str:
    """panels : (title, what the horizontal axis counts, series of (size, seconds) by name)."""
    names = list(dict.fromkeys(name for _, _, series in panels for name in series))
    colours = dict(zip(names, COLOURS, strict=False))
    width, height = WIDTH * len(panels), HEIGHT + 20 * len(names) + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="#fff"/>',
        *(_panel(index * WIDTH, *panel, colours) for index, panel in enumerate(panels)),
    ]
    for index, name in enumerate(names):
        y = HEIGHT + 12 + 20 * index
        parts.append(f'<line x1="{LEFT}" x2="{LEFT + 24}" y1="{y}" y2="{y}" stroke="{colours[name]}" stroke-width="2.5"/>')
        parts.append(f'<text x="{LEFT + 32}" y="{y + 4}">{name}</text>')
    return "\n".join([*parts, "</svg>\n"])


def _panel(x0: int, title: str, axis: str, series: Series, colours: dict[str, str]) -> str:
    sizes = [size for points in series.values() for size, _ in points]
    seconds = [second for points in series.values() for _, second in points]
    low, high = math.floor(math.log10(min(seconds))), math.ceil(math.log10(max(seconds)))

    def x(size: float) -> float:
        return x0 + LEFT + (WIDTH - LEFT - RIGHT) * math.log(size / min(sizes)) / math.log(max(sizes) / min(sizes))

    def y(second: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (math.log10(second) - low) / (high - low)

    parts = [f'<text x="{x0 + LEFT}" y="20" font-weight="bold">{title}</text>']
    for power in range(low, high + 1):
        parts.append(
            f'<line x1="{x0 + LEFT}" x2="{x0 + WIDTH - RIGHT}" y1="{y(10**power):.1f}" y2="{y(10**power):.1f}" stroke="#ddd"/>'
        )
        parts.append(f'<text x="{x0 + LEFT - 6}" y="{y(10**power) + 4:.1f}" text-anchor="end">{10.0**power:g} s</text>')
    for size in sorted(set(sizes)):
        parts.append(f'<text x="{x(size):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle" font-size="10">{size:,.0f}</text>')
    parts.append(f'<text x="{x0 + (LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 10}" text-anchor="middle">{axis}</text>')
    for name, points in series.items():
        path = " ".join(f"{x(size):.1f},{y(second):.1f}" for size, second in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colours[name]}" stroke-width="2.5"/>')
        parts += [f'<circle cx="{x(size):.1f}" cy="{y(second):.1f}" r="3" fill="{colours[name]}"/>' for size, second in points]
    return "\n".join(parts)
