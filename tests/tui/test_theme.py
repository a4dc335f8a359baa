"""Colours where a terminal has few of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.color import Color, ColorSystem

from barista_tui.app import BaristaApp
from barista_tui.target import Target
from barista_tui.theme import DARK_PALETTE, LIGHT_PALETTE, LOOKS, Palette, palette_of, theme_name


def mapped(color: str, system: ColorSystem) -> tuple[int, int, int]:
    """What a terminal of that system shows for a colour."""
    return tuple(Color.parse(color).downgrade(system).get_truecolor())  # type: ignore[return-value]


@pytest.mark.parametrize("palette", [DARK_PALETTE, LIGHT_PALETTE], ids=["dark", "light"])
def test_text_and_grounds_do_not_turn_red_in_256_colours(palette: Palette) -> None:
    for color in (palette.background, palette.foreground, palette.dim, palette.cursor, palette.cursor_idle):
        red, green, blue = mapped(color, ColorSystem.EIGHT_BIT)
        assert red - green <= 0x28 and abs(green - blue) <= 0x28, color
    grounds = {
        mapped(color, ColorSystem.EIGHT_BIT)
        for color in (palette.background, palette.cursor, palette.cursor_idle)
    }
    assert len(grounds) == 3, "the selected row differs from the others, and with focus from without"


@pytest.mark.parametrize("look", LOOKS)
def test_every_look_can_be_read(look: str) -> None:
    for colors in ("many", "sixteen"):
        palette = palette_of(theme_name(look, colors))
        ground = Color.parse(palette.background).get_truecolor()
        for color in (palette.foreground, palette.accent, *palette.tones.values(), *palette.curves):
            # 3: what WCAG asks of large text and of signs.
            assert contrast(Color.parse(color).get_truecolor(), ground) >= 2.2, (color, colors)
        assert contrast(Color.parse(palette.foreground).get_truecolor(), ground) >= 7


def contrast(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    """Ratio of luminances, as WCAG counts it."""

    def luminance(color: tuple[int, int, int]) -> float:
        parts = [
            part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4
            for part in (each / 255 for each in color)
        ]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("look", ["dark", "light", "ansi-dark", "ansi-light"])
def test_sixteen_colours_keep_states_and_curves_apart(look: str) -> None:
    palette = palette_of(theme_name(look, "sixteen"))
    curves = [mapped(color, ColorSystem.STANDARD) for color in palette.curves]
    assert len(set(curves)) == len(curves)
    states = [mapped(palette.tones[tone], ColorSystem.STANDARD) for tone in ("running", "failed", "finished")]
    assert len(set(states)) == 3
    ground = mapped(palette.background, ColorSystem.STANDARD)
    assert ground not in [*curves, *states, mapped(palette.cursor, ColorSystem.STANDARD)]


@pytest.mark.parametrize(
    ("term", "no_color", "wanted"),
    [("xterm", None, "sixteen"), ("xterm-256color", None, "many"), ("xterm", "1", "none")],
)
def test_the_theme_fits_the_terminal(
    term: str, no_color: str | None, wanted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", term)
    for name in ("COLORTERM", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    if no_color is not None:
        monkeypatch.setenv("NO_COLOR", no_color)
    assert BaristaApp(Target(tmp_path), connect=False).color_range == wanted
