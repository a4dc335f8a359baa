"""The Barista themes, dark and light, and the colours that rendered lines take from them.

One accent for focus, state colours only for states. What a widget draws by itself asks :func:`palette_of`.
Terminals of 256 colours get the nearest ones by Rich's rules: a colour of little saturation becomes a grey,
any other falls into a coarse cube, in which dark browns would turn red. Those of 16 have their own palettes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from rich.style import Style
from textual.theme import Theme

Colors = Literal["many", "sixteen", "none"]


@dataclass(frozen=True)
class Palette:
    """Colours as ``#rrggbb``."""

    background: str
    foreground: str
    dim: str
    faint: str
    accent: str
    cursor: str
    """Background of the selected row, with and (``cursor_idle``) without focus."""
    cursor_idle: str
    tones: dict[str, str]
    curves: tuple[str, ...]
    """Train loss, test loss, then further metrics."""


DARK_PALETTE = Palette(
    background="#171412",
    foreground="#e8dfd5",
    dim="#9a8f84",
    faint="#4a423b",
    accent="#e0a458",
    cursor="#373029",
    cursor_idle="#26211d",
    tones={
        "idle": "#9a8f84",
        "queued": "#b39ddb",
        "running": "#8fc97f",
        "paused": "#e3c567",
        "finished": "#6fb7d6",
        "failed": "#ee7a6b",
        "warning": "#e8a04c",
    },
    curves=("#e0a458", "#6fb7d6", "#8fc97f", "#c79bd8", "#e58f9b", "#b8b05a", "#5fc9b0", "#9a8f84"),
)

LIGHT_PALETTE = Palette(
    background="#fbf7f1",
    foreground="#2e2a26",
    dim="#796b5c",
    faint="#d3c6b5",
    accent="#a35a00",
    cursor="#f0dcc0",
    cursor_idle="#eae4da",
    tones={
        "idle": "#796b5c",
        "queued": "#6a4fa3",
        "running": "#2f7d32",
        "paused": "#8a6400",
        "finished": "#12658a",
        "failed": "#b3261e",
        "warning": "#a34a00",
    },
    curves=("#b25f00", "#12658a", "#2f7d32", "#7d3c98", "#a93246", "#6b6500", "#0b7a6a", "#796b5c"),
)


# What a terminal of 16 colours calls by these names; the exact shades are the terminal's own.
_BLUE, _GREY, _WHITE = "#0000aa", "#555555", "#ffffff"

_DARK_16 = replace(
    DARK_PALETTE,
    accent="#ffff55",
    cursor=_BLUE,
    cursor_idle=_GREY,
    tones={
        "idle": "#aaaaaa",
        "queued": "#ff55ff",
        "running": "#55ff55",
        "paused": "#ffff55",
        "finished": "#55ffff",
        "failed": "#ff5555",
        "warning": "#aa5500",
    },
    curves=("#ffff55", "#55ffff", "#55ff55", "#ff55ff", "#ff5555", "#ffffff", "#00aaaa", "#aaaaaa"),
)

_LIGHT_16 = replace(
    LIGHT_PALETTE,
    foreground="#000000",
    dim=_GREY,
    accent=_BLUE,
    cursor="#aaaaaa",
    cursor_idle="#aaaaaa",
    tones={
        "idle": _GREY,
        "queued": "#aa00aa",
        "running": "#00aa00",
        "paused": "#aa5500",
        "finished": _BLUE,
        "failed": "#aa0000",
        "warning": "#aa5500",
    },
    curves=("#aa5500", _BLUE, "#00aa00", "#aa00aa", "#aa0000", "#000000", "#00aaaa", _GREY),
)

# Without colours (NO_COLOR) curves differ by their brightness.
_DARK_GREYS = ("#ffffff", "#a0a0a0", "#707070", "#d0d0d0", "#888888", "#b8b8b8", "#606060", "#e0e0e0")
_LIGHT_GREYS = ("#000000", "#707070", "#a0a0a0", "#404040", "#888888", "#585858", "#b0b0b0", "#202020")


def _theme(name: str, palette: Palette, surface: str, panel: str, dark: bool) -> Theme:
    return Theme(
        name=name,
        dark=dark,
        primary=palette.accent,
        secondary=palette.tones["finished"],
        accent=palette.accent,
        foreground=palette.foreground,
        background=palette.background,
        surface=surface,
        panel=panel,
        success=palette.tones["running"],
        warning=palette.tones["warning"],
        error=palette.tones["failed"],
        variables={
            "dim": palette.dim,
            "faint": palette.faint,
            "scrollbar": palette.faint,
            "scrollbar-hover": palette.dim,
            "scrollbar-active": palette.accent,
            "scrollbar-background": palette.background,
            "scrollbar-background-hover": palette.background,
            "scrollbar-background-active": palette.background,
            "scrollbar-corner-color": palette.background,
            "block-cursor-background": palette.cursor,
            "block-cursor-foreground": palette.foreground,
            "block-cursor-text-style": "bold",
            "block-cursor-blurred-background": palette.cursor_idle,
            "border": palette.accent,
            "border-blurred": palette.faint,
            "input-selection-background": f"{palette.accent} 35%",
        },
    )


_PALETTES: dict[tuple[bool, Colors], Palette] = {
    (True, "many"): DARK_PALETTE,
    (False, "many"): LIGHT_PALETTE,
    (True, "sixteen"): _DARK_16,
    (False, "sixteen"): _LIGHT_16,
    (True, "none"): replace(DARK_PALETTE, curves=_DARK_GREYS),
    (False, "none"): replace(LIGHT_PALETTE, curves=_LIGHT_GREYS),
}


def theme_name(dark: bool, colors: Colors = "many") -> str:
    """The theme for a terminal that can show so many colours."""
    return f"barista-{'dark' if dark else 'light'}" + ("" if colors == "many" else f"-{colors}")


_BY_NAME = {theme_name(*key): palette for key, palette in _PALETTES.items()}

THEMES = tuple(
    _theme(
        theme_name(dark, colors), palette, *(("#1f1b18", "#2a2420") if dark else ("#f4ecdf", "#eadfce")), dark
    )
    for (dark, colors), palette in _PALETTES.items()
)


def palette_of(theme: str) -> Palette:
    """The colours that go with a theme, by its name."""
    return _BY_NAME.get(theme, DARK_PALETTE)


@lru_cache(maxsize=512)
def ink(color: str, background: str | None = None, bold: bool = False) -> Style:
    """A Rich style, made once."""
    return Style(color=color, bgcolor=background, bold=bold or None)
