"""Blobs as pictures: layout, scaling, marks, cells."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from barista_tui import cellart, filters, pictures
from barista_tui.blobform import LEAST, WHOLE, Form, form_of, grid_of, rows_for
from barista_tui.png import png
from barista_tui.theme import palette_of

DARK, LIGHT = palette_of("barista-dark"), palette_of("barista-light")


@pytest.mark.parametrize(
    ("kind", "shape", "form"),
    [
        ("Convolution", [96, 3, 11, 11], Form("blocks", 96, 3, 11, 11)),
        ("", [96, 3, 11, 11], Form("blocks", 96, 3, 11, 11)),
        ("Convolution", [256, 48, 5, 5], Form("blocks", 256, 48, 5, 5)),  # two groups of 96 channels
        ("conv", [1, 20, 5, 5], Form("blocks", 20, 1, 5, 5)),
        ("Convolution", [1, 1, 5, 5], Form("blocks", 1, 1, 5, 5)),
        ("Convolution", [8, 2, 3, 5, 7], Form("blocks", 8, 6, 5, 7)),
        ("Convolution", [64, 32, 1, 1], Form("matrix", 64, width=32)),
        ("InnerProduct", [1, 1, 500, 800], Form("matrix", 500, width=800)),
        ("InnerProduct", [500, 800], Form("matrix", 500, width=800)),
        ("CONVOLUTION", [1, 1, 1, 96], Form("blocks", 96)),
        ("Convolution", [96], Form("blocks", 96)),
        ("BatchNorm", [1], Form("blocks", 1)),
        ("", [], Form("blocks", 1)),
    ],
)
def test_what_a_blob_is_drawn_as(kind: str, shape: list[int], form: Form) -> None:
    assert form_of(kind, shape) == form


@pytest.mark.parametrize("size", [(36, 44), (56, 36), (57, 44), (120, 100)])
def test_the_filters_of_alexnet_are_on_one_page(size: tuple[int, int]) -> None:
    form = Form("blocks", 96, 3, 11, 11)
    grid = grid_of(form, "colour", *size)
    assert grid.pages == 1 and grid.page(0) == range(96) and grid.height == grid.width >= LEAST
    assert grid.columns * (grid.width + 1) - 1 <= size[0] and grid.rows * (grid.height + 1) - 1 <= size[1]


def test_what_is_too_much_has_pages_and_zoom_makes_more_of_them() -> None:
    form = Form("blocks", 256, 48, 5, 5)
    grid = grid_of(form, "channels", 56, 36)
    assert grid.blocks == 256 * 48 and grid.pages == -(-grid.blocks // (14 * 9)) and grid.width == LEAST
    seen = [block for page in range(grid.pages) for block in grid.page(page)]
    assert seen == list(range(grid.blocks))
    assert grid.page(10_000) == grid.page(grid.pages - 1)
    assert grid_of(form, "channels", 56, 36, zoom=2).width == 7
    assert grid_of(form, "channels", 1, 1).per_page == 1


def test_of_large_blobs_only_the_rows_of_the_page_are_wanted() -> None:
    small, large = Form("blocks", 96, 3, 11, 11), Form("blocks", 512, 512, 3, 3)
    assert rows_for(small, "channels", range(5)) == range(96)
    assert rows_for(large, "channels", range(1000, 1030)) == range(1, 3)
    assert rows_for(large, "mean", range(100, 130)) == range(100, 130)
    matrix = Form("matrix", 4096, width=9216)
    grid = grid_of(matrix, "channels", 56, 36)
    wanted = rows_for(matrix, "channels", grid.page(1))
    assert wanted == grid.page(1) and len(wanted) * 9216 <= WHOLE and wanted.start == len(grid.page(0))
    # A row longer than what is fetched at once comes all the same.
    assert len(grid_of(Form("matrix", 2, width=WHOLE + 1), "channels", 9, 9).page(0)) == 1


def drawn(values: object, form: Form, **how: object) -> filters.Image:
    flat = np.asarray(values, np.float32).ravel()
    size = how.pop("size", (60, 60))
    mode = how.get("mode", "channels")
    grid = grid_of(form, mode, *size)  # type: ignore[arg-type, misc]
    return filters.draw(flat, form, grid, grid.page(0), **how)  # type: ignore[arg-type]


def test_high_is_light_in_the_range_of_all_or_of_each() -> None:
    form = Form("blocks", 2, 1, 1, 2)
    values = [0, 1, 0, 10]
    image = drawn(values, form, size=(5, 1))
    assert image.levels[0, :, 0].tolist() == [0, 26, 0, 0, 255] and image.kinds[0].tolist() == [1, 1, 0, 1, 1]
    assert (image.low, image.high) == (0, 10)
    image = drawn(values, form, size=(5, 1), scale="filter")
    assert image.levels[0, :, 0].tolist() == [0, 255, 0, 0, 255] and image.low is None
    image = drawn(values, form, size=(5, 1), bounds=(0.0, 20.0))
    assert image.levels[0, :, 0].tolist() == [0, 13, 0, 0, 128] and image.high == 20


def test_a_filter_is_scaled_up_in_whole_and_down_by_means() -> None:
    image = drawn([[0, 1], [1, 0]], Form("blocks", 1, 1, 2, 2), size=(6, 6))
    assert image.levels[:, :, 0].tolist() == [[0] * 3 + [255] * 3] * 3 + [[255] * 3 + [0] * 3] * 3
    pixels, kinds = filters.resized(np.array([[[0, 1, 0.5, 0.5]]]), 1, 2)
    assert pixels.tolist() == [[[128, 128]]] and kinds.tolist() == [[[1, 1]]]
    pixels, _ = filters.resized(np.array([[[0.0, 0.6, 1.0]]]), 1, 2)
    assert pixels.tolist() == [[[51, 221]]]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("scale", ["shared", "filter"])
def test_what_is_not_finite_is_marked_and_spoils_nothing_else(bad: float, scale: str) -> None:
    form = Form("blocks", 1, 1, 11, 11)
    values = np.linspace(-1, 1, 121)
    values[60] = bad
    image = drawn(values, form, size=(4, 4), scale=scale)
    marked = image.kinds == filters.NOT_FINITE
    assert 1 <= marked.sum() <= 4 and image.levels[0].max() < 128 < image.levels[-1].min()


def test_nothing_finite_and_all_alike() -> None:
    form = Form("blocks", 2, 1, 2, 2)
    for scale in ("shared", "filter"):
        image = drawn([np.nan] * 8, form, size=(5, 2), scale=scale)
        assert (image.kinds[image.kinds != 0] == filters.NOT_FINITE).all() and image.low is None
        image = drawn([7] * 8, form, size=(5, 2), scale=scale)
        assert set(image.levels[image.kinds == 1].ravel().tolist()) == {128}
    assert drawn([7] * 8, form).low == 7


def test_a_filter_of_one_value_is_a_block_in_the_range_of_all() -> None:
    image = drawn([0, 1, 2], Form("blocks", 3), size=(50, 4), scale="filter")
    assert sorted(set(image.levels[image.kinds == 1].ravel().tolist())) == [0, 128, 255]


def test_the_largest_floats_do_not_overflow() -> None:
    image = drawn([-3e38, 3e38], Form("blocks", 2), size=(3, 1))
    assert image.levels[0, :, 0].tolist() == [0, 0, 255]


def test_three_channels_in_colour_blue_first() -> None:
    values = np.zeros((1, 3, 1, 1))
    values[0, 0] = 1
    form = Form("blocks", 1, 3, 1, 1)
    assert form.modes[0] == "colour"
    assert drawn(values, form, size=(1, 1), mode="colour").levels[0, 0].tolist() == [0, 0, 255]
    assert drawn(values, form, size=(5, 1), mode="channels").levels[0, :, 0].tolist() == [255, 0, 0, 0, 0]
    mean = drawn([[0, 0, 3], [0, 0, 0]], Form("blocks", 2, 3, 1, 1), size=(3, 1), mode="mean")
    assert mean.levels[0, :, 0].tolist() == [255, 0, 0] and mean.high == 1


def test_a_page_of_channels_begins_within_a_filter() -> None:
    form = Form("blocks", 4, 3, 1, 1)
    grid = grid_of(form, "channels", 3, 1)
    blocks = grid.page(2)
    assert blocks == range(4, 6)
    rows = np.arange(12, dtype=np.float32).reshape(4, 3)[1:]
    image = filters.draw(rows, form, grid, blocks, first=1, bounds=(0.0, 11.0))
    assert image.levels[0, :, 0].tolist() == [round(255 * 4 / 11), 0, round(255 * 5 / 11)]


def test_a_matrix_fills_the_room() -> None:
    values = np.tile(np.arange(800), (500, 1))
    image = drawn(values, Form("matrix", 500, width=800), size=(40, 20))
    assert image.kinds.shape == (20, 40) and (np.diff(image.levels[:, :, 0].astype(int)) > 0).all()
    small = drawn([[0, 1, 0], [1, 0, 1]], Form("matrix", 2, width=3), size=(10, 5))
    assert small.kinds.shape == (4, 9)


def test_a_histogram_counts_what_is_finite() -> None:
    counts, edges = filters.histogram(np.array([0, 0, 1, np.nan, np.inf], np.float32), 2)
    assert counts == [2, 1] and edges == [0, 0.5, 1]
    assert filters.histogram(np.array([4, 4], np.float32), 8) == ([2], [4, 4])
    assert filters.histogram(np.array([np.nan], np.float32), 8) == ([], [])
    lines = cellart.bars(counts, edges, 41, DARK)
    assert [line.text.split()[0] for line in lines] == ["0", "0.5"]
    assert lines[0].text.count("█") == 2 * lines[1].text.count("█") > 0


def sample() -> filters.Image:
    levels = np.repeat(np.array([[0, 255, 128], [255, 0, 128], [64, 64, 64]], np.uint8)[..., None], 3, 2)
    return filters.Image(levels, np.array([[1, 1, 2], [1, 1, 1], [0, 1, 1]], np.uint8))


def colors_of(image: filters.Image, colors: str) -> list[list[tuple[str, str]]]:
    return [
        [(part.style.color.name, part.style.bgcolor.name) for part in strip for _ in part.text]  # type: ignore[union-attr]
        for strip in cellart.strips(image, DARK, colors)  # type: ignore[arg-type]
    ]


def test_two_pixels_a_cell() -> None:
    failed, ground = DARK.tones["failed"], DARK.background
    first, last = colors_of(sample(), "many")
    assert first == [("#000000", "#ffffff"), ("#ffffff", "#000000"), (failed, "#808080")]
    assert last == [(ground, ground), ("#404040", ground), ("#404040", ground)]
    first, last = colors_of(sample(), "sixteen")
    assert first == [("black", "bright_white"), ("bright_white", "black"), (failed, "white")]
    assert last[1] == ("bright_black", ground)


def test_shades_where_there_is_no_colour_and_light_stays_high() -> None:
    levels = np.repeat(np.array([[0, 64, 128, 192, 255, 0]] * 2, np.uint8)[..., None], 3, 2)
    kinds = np.array([[1, 1, 1, 1, 1, 0], [1, 1, 1, 2, 1, 0]], np.uint8)
    image = filters.Image(levels, kinds)
    assert [strip.text for strip in cellart.strips(image, DARK, "none")] == [" ░▒✖█ "]
    assert [strip.text for strip in cellart.strips(image, LIGHT, "none")] == ["█▓▒✖  "]


def test_a_png_file_is_one(tmp_path: Path) -> None:
    with Pillow.open(io.BytesIO(png(2, 1, bytes([255, 0, 0, 0, 0, 255])))) as read:
        read.load()
        assert (read.mode, read.size) == ("RGB", (2, 1)) and read.getpixel((1, 0)) == (0, 0, 255)
    with pytest.raises(ValueError, match="no picture"):
        png(2, 2, b"")
    path = tmp_path / "a.png"
    assert pictures.write_png(path, pictures.enlarged(sample())) == (798, 798)
    with Pillow.open(path) as read:
        assert read.size == (798, 798) and read.getpixel((400, 0)) == (255, 255, 255)
        assert read.getpixel((797, 0)) == (238, 60, 60) and read.getpixel((0, 797)) == (32, 28, 26)
    with pytest.raises(FileExistsError):
        pictures.write_png(path, sample(), new=True)
