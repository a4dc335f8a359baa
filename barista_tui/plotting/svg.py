"""A figure as SVG: lines stay lines, words stay words."""

from __future__ import annotations

from xml.sax.saxutils import escape

from barista_tui.plotting.figure import SIZE, Figure, Item, Shape, Stroke
from barista_tui.plotting.scene import Point


def svg(figure: Figure) -> str:
    """The file's text."""
    left, top, right, bottom = figure.area
    box = f'x="{_n(left)}" y="{_n(top)}" width="{_n(right - left)}" height="{_n(bottom - top)}"'
    title = figure.title or "plot"
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{figure.width}" height="{figure.height}" '
        f'viewBox="0 0 {figure.width} {figure.height}" role="img" font-size="{SIZE:g}" '
        'font-family="ui-monospace, DejaVu Sans Mono, monospace">',
        f"<title>{escape(_clean(title))}</title>",
        f'<clipPath id="area"><rect {box}/></clipPath>',
        f'<rect width="100%" height="100%" fill="{figure.paper.ground}"/>',
    ]
    for group in figure.groups:
        about = f"<title>{escape(_clean(group.about))}</title>" if group.about else ""
        lines += [f"<g>{about}", *(_item(item, figure) for item in group.items), "</g>"]
    return "\n".join([*lines, "</svg>", ""])


def _item(item: Item, figure: Figure) -> str:
    if isinstance(item, Stroke):
        dash = f' stroke-dasharray="{" ".join(map(_n, item.dash))}"' if item.dash else ""
        clip = ' clip-path="url(#area)"' if item.clip else ""
        return (
            f'<polyline points="{_points(item.points)}" fill="none" stroke="{item.color}" '
            f'stroke-width="{_n(item.width)}" stroke-linejoin="round"{dash}{clip}/>'
        )
    if isinstance(item, Shape):
        fill = item.color if item.filled else figure.paper.ground
        paint = f'fill="{fill}" stroke="{item.color}" stroke-width="1.2"'
        return f'<polygon points="{_points(item.points)}" {paint}/>'
    anchor = "" if item.anchor == "start" else f' text-anchor="{item.anchor}"'
    place = f'x="{_n(item.x)}" y="{_n(item.y)}" fill="{item.color}"{anchor}'
    return f"<text {place}>{escape(_clean(item.text))}</text>"


def _points(points: tuple[Point, ...]) -> str:
    return " ".join(f"{_n(x)},{_n(y)}" for x, y in points)


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _clean(text: str) -> str:
    """Signs that XML 1.0 can hold."""
    return "".join(char if char.isprintable() else " " for char in text)
