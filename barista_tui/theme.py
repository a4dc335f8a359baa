"""The Barista themes, dark and light, and the colours that rendered lines take from them.

One accent for focus, state colours only for states. What a widget draws by itself asks :func:`palette_of`.
Terminals of 256 colours get the nearest ones by Rich's rules: a colour of little saturation becomes a grey,
any other falls into a coarse cube, in which dark browns would turn red. Those of 16 have their own palettes.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace
from rich.style import Style
from textual.theme import Theme

Colors = Literal["many", "sixteen", "none"]

LOOKS: dict[str, str] = {
    "dark": "dark",
    "light": "light",
    "colour-blind-dark": "dark, colours that all eyes tell apart",
    "colour-blind-light": "light, colours that all eyes tell apart",
    "ansi-dark": "the terminal's own 16 colours, on dark",
    "ansi-light": "the terminal's own 16 colours, on light",
}
"""The looks a person can choose, with words for them, in the order that the key goes through them."""


class Palette(Struct, frozen=True):
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


# After Okabe and Ito, "Color universal design": apart for all common kinds of colour vision; lighter or
# darker where the ground asks for it.
_DARK_BLIND = replace(
    DARK_PALETTE,
    accent="#e69f00",
    tones={
        "idle": "#9a8f84",
        "queued": "#cc79a7",
        "running": "#56b4e9",
        "paused": "#f0e442",
        "finished": "#2fc79a",
        "failed": "#ff7a33",
        "warning": "#e69f00",
    },
    curves=("#e69f00", "#56b4e9", "#2fc79a", "#cc79a7", "#f0e442", "#ff7a33", "#3a8fd0", "#9a8f84"),
)

_LIGHT_BLIND = replace(
    LIGHT_PALETTE,
    accent="#0072b2",
    tones={
        "idle": "#796b5c",
        "queued": "#9a3f74",
        "running": "#0072b2",
        "paused": "#7a6000",
        "finished": "#00704f",
        "failed": "#b34700",
        "warning": "#8f5f00",
    },
    curves=("#b36b00", "#0072b2", "#00704f", "#9a3f74", "#7a6000", "#b34700", "#2f6fbf", "#796b5c"),
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


_LOOKS: dict[str, tuple[Palette, Palette]] = {
    "dark": (DARK_PALETTE, _DARK_16),
    "light": (LIGHT_PALETTE, _LIGHT_16),
    "colour-blind-dark": (_DARK_BLIND, _DARK_16),
    "colour-blind-light": (_LIGHT_BLIND, _LIGHT_16),
    "ansi-dark": (_DARK_16, _DARK_16),
    "ansi-light": (_LIGHT_16, _LIGHT_16),
}
"""Of each look the colours for terminals of many, and for those of sixteen."""


def theme_name(look: str, colors: Colors = "many") -> str:
    """The theme of a look for a terminal that can show so many colours."""
    return f"barista-{look}" + ("" if colors == "many" else f"-{colors}")


def _palettes() -> dict[str, tuple[Palette, bool]]:
    made = {}
    for look, (many, sixteen) in _LOOKS.items():
        dark = not look.endswith("light")
        greys = replace(many, curves=_DARK_GREYS if dark else _LIGHT_GREYS)
        made[theme_name(look)] = (many, dark)
        made[theme_name(look, "sixteen")] = (sixteen, dark)
        made[theme_name(look, "none")] = (greys, dark)
    return made


_BY_NAME = _palettes()

THEMES = tuple(
    _theme(name, palette, *(("#1f1b18", "#2a2420") if dark else ("#f4ecdf", "#eadfce")), dark)
    for name, (palette, dark) in _BY_NAME.items()
)


def palette_of(theme: str) -> Palette:
    """The colours that go with a theme, by its name."""
    return _BY_NAME.get(theme, (DARK_PALETTE, True))[0]


@lru_cache(maxsize=512)
def ink(color: str, background: str | None = None, bold: bool = False) -> Style:
    """A Rich style, made once."""
    return Style(color=color, bgcolor=background, bold=bold or None)
