"""The two Barista themes and the colours that rendered lines take from them.

One accent for focus, state colours only for states. What a widget draws by itself asks :func:`palette_of`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from rich.style import Style
from textual.theme import Theme

DARK = "barista-dark"
LIGHT = "barista-light"


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
    cursor="#3a2f24",
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
    curves=("#e0a458", "#6fb7d6", "#8fc97f", "#c79bd8", "#e58f9b", "#b8b05a"),
)

LIGHT_PALETTE = Palette(
    background="#fbf7f1",
    foreground="#33291f",
    dim="#796b5c",
    faint="#d3c6b5",
    accent="#a35a00",
    cursor="#f0dcc0",
    cursor_idle="#f1e8db",
    tones={
        "idle": "#796b5c",
        "queued": "#6a4fa3",
        "running": "#2f7d32",
        "paused": "#8a6400",
        "finished": "#12658a",
        "failed": "#b3261e",
        "warning": "#a34a00",
    },
    curves=("#b25f00", "#12658a", "#2f7d32", "#7d3c98", "#a93246", "#6b6500"),
)


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


THEMES = (
    _theme(DARK, DARK_PALETTE, surface="#1f1b18", panel="#2a2420", dark=True),
    _theme(LIGHT, LIGHT_PALETTE, surface="#f4ecdf", panel="#eadfce", dark=False),
)


def palette_of(dark: bool) -> Palette:
    """The colours that go with a dark or a light theme."""
    return DARK_PALETTE if dark else LIGHT_PALETTE


@lru_cache(maxsize=512)
def ink(color: str, background: str | None = None, bold: bool = False) -> Style:
    """A Rich style, made once."""
    return Style(color=color, bgcolor=background, bold=bold or None)
