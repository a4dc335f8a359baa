"""True pixels: what the terminal is asked and answers; what is sent to it, read back as a terminal does."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from barista_tui import config, filters, pixelart, pixels
from barista_tui.blobform import Form, grid_of
from barista_tui.filters import Image
from barista_tui.pixels import Answered, Answers, Means, Pixels, by_environment

from ..support.terminal_pictures import Kitty, sixel_pixels

GROUND, MARK = (10, 20, 30), (200, 40, 50)
STEP = 255 / 100 / 2 + 1
"""How far a sixel's colour may be from the one wanted: half a per cent, and rounding."""


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"TERM": "xterm-256color"}, "ask"),
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "ghostty"}, "kitty"),
        ({"TERM": "xterm-kitty", "TMUX": "/tmp/tmux-0/default,1,0"}, "ask"),
        ({"TERM": "tmux-256color", "KITTY_WINDOW_ID": "1"}, "ask"),
        ({"TERM": "screen", "STY": "1.tty"}, "ask"),
        ({"TERM": "xterm-kitty", "NO_COLOR": "1"}, None),
        ({"TERM": "linux"}, None),
        ({"TERM": "dumb"}, None),
        ({}, None),
    ],
)
def test_what_the_environment_says(environ: dict[str, str], expected: str | None) -> None:
    assert by_environment(environ) == expected


def test_answers_are_no_keys_also_in_pieces() -> None:
    sent = "a\x1b[6;20;10t\x1b[?62;4;22cb\x1b[A"
    # What may be keys, esc and alt+[, is not held back: terminals send an answer in one go.
    for split in (each for each in range(len(sent)) if not sent[:each].endswith(("\x1b", "\x1b["))):
        answers = Answers()
        pieces = [answers.take(piece) for piece in (sent[:split], sent[split:])]
        assert "".join(rest for rest, _ in pieces) + answers.left() == "ab\x1b[A", split
        found = [answer for _, each in pieces for answer in each]
        assert [(each.cell, each.attributes) for each in found] == [((10, 20), None), (None, {62, 4, 22})]


def test_a_terminal_is_asked_once_and_only_if_need_be() -> None:
    written: list[str] = []
    plain = {"TERM": "xterm-256color"}
    asked = Pixels("auto", plain, written.append, lambda: None)
    asked.wake()
    asked.wake()
    assert written == [pixels.QUESTION] and asked.means is None
    assert not asked.heard(Answered(cell=(9, 18)))
    assert asked.heard(Answered(attributes=frozenset({62, 4})))
    assert asked.means == Means("sixel", (9, 18))
    written.clear()
    for wanted, environ in (("off", plain), ("sixel", plain), ("auto", {"TERM": "linux"})):
        quiet = Pixels(wanted, environ, written.append, lambda: None)  # type: ignore[arg-type]
        quiet.wake()
        quiet.heard(Answered(attributes=frozenset({4})))
        assert not written and (quiet.means is None) == (wanted != "sixel")
    # Without a size of cells a picture would cover what stands around it.
    unknown = Pixels("auto", plain, written.append, lambda: None)
    unknown.wake()
    assert not unknown.heard(Answered(attributes=frozenset({4})))
    no = Pixels("auto", plain, written.append, lambda: (8, 16))
    no.wake()
    assert not no.heard(Answered(attributes=frozenset({1, 2})))
    assert Pixels("auto", {"TERM": "xterm", "XTERM_VERSION": "XTerm(379)"}, written.append)._largest == 1000


def test_the_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert pixels.setting() == ("auto", None)
    config.path().parent.mkdir()
    config.path().write_text('pixels = "kitty"\n')
    assert pixels.setting() == ("kitty", None)
    config.path().write_text('pixels = "yes"\n')
    wanted, problem = pixels.setting()
    assert wanted == "auto" and "must be one of auto, sixel, kitty, off" in str(problem)


def _drawn(planes: int, size: tuple[int, int]) -> Image:
    """96 filters of AlexNet's first layer, one value of which is not finite."""
    values = np.random.default_rng(planes).normal(size=(96, planes, 11, 11)).astype(np.float32)
    values[3, 0, 5, 5] = np.nan
    form = Form("blocks", 96, planes, 11, 11)
    grid = grid_of(form, form.modes[0], *size, fine=True)
    assert grid.pages == 1 and grid.width >= 33
    return pixelart.canvas(filters.draw(values, form, grid, grid.page(0), mode=form.modes[0]), *size)


@pytest.mark.parametrize("planes", [1, 3])
def test_sixels_read_back_are_the_96_filters(planes: int) -> None:
    image = _drawn(planes, (600, 400))
    seen = sixel_pixels(pixelart.sixels(image, GROUND, MARK)).astype(int)
    wanted = image.rgb(GROUND, MARK).astype(int)
    assert seen.shape == wanted.shape == (400, 600, 3)
    if planes == 1:
        assert np.abs(seen - wanted).max() <= STEP
    else:  # 256 colours of thousands
        assert np.abs(seen - wanted).mean() < 8 and np.abs(seen - wanted).max() < 100
    marked = wanted[image.kinds == filters.NOT_FINITE]
    assert len(marked) and (marked == MARK).all()


def test_kittys_pictures_read_back_are_the_same_to_the_bit() -> None:
    image = _drawn(3, (600, 400))
    rgb = image.rgb(GROUND, MARK)
    terminal = Kitty()
    assert terminal.read(pixelart.kitty_held(rgb, 60, 20, pixelart.NUMBERS[1], full=False)) == ""
    assert list(terminal.pictures) == [51] and (terminal.pictures[51] == rgb).all()
    assert terminal.places == {51: (60, 20)}
    strips = pixelart.holders(60, 20, pixelart.NUMBERS[1])
    assert len(strips) == 20 and all(strip.cell_length == 60 for strip in strips)
    assert len({strip.text for strip in strips}) == 20 and strips[0].text.count(pixelart.HOLDER) == 60


def test_cells_under_a_picture_show_the_same_coarser() -> None:
    levels = np.zeros((40, 20, 3), np.uint8)
    levels[:, 10:] = 200
    kinds = np.ones((40, 20), np.uint8)
    kinds[20:] = filters.GROUND
    kinds[0, 0] = filters.NOT_FINITE
    small = filters.shrunk(Image(levels, kinds), 4, 2)
    assert small.levels[:2, :, 0].tolist() == [[0, 200], [0, 200]]
    assert small.kinds.tolist() == [[2, 1], [1, 1], [0, 0], [0, 0]]


def test_nothing_is_written_to_the_terminal_where_the_encoders_are_loaded() -> None:
    parent, child = pty.openpty()
    script = "from barista_tui import pixelart; pixelart.holders(3, 2, 51); import PIL"
    environ = {**os.environ, "TERM": "xterm-256color"}
    done = subprocess.run(
        [sys.executable, "-c", script], stdin=child, stdout=child, stderr=subprocess.PIPE, env=environ
    )
    assert done.returncode == 0, done.stderr
    os.set_blocking(parent, False)
    with pytest.raises(BlockingIOError):
        os.read(parent, 1000)
    os.close(parent)
    os.close(child)
