"""Plots as files and as lines of text: SVG byte by byte, PNG by its pixels, words for those who listen."""

from __future__ import annotations

import io
import math
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from barista_server.api.messages import SeriesKey
from barista_tui.export import Range, Table, cut
from barista_tui.plotting import raster
from barista_tui.plotting.chart import chart, words
from barista_tui.plotting.curves import View
from barista_tui.plotting.figure import Figure, Group, Paper, Shape, Stroke, Words, figure
from barista_tui.plotting.letters import lines_of
from barista_tui.plotting.svg import svg

from .test_plotting import ACCURACY, FALLING, HERE, TRAIN, XS, curve_of, curves, series

GOLDEN = Path(__file__).parents[1] / "fixtures" / "golden" / "plot.svg"


def small() -> Figure:
    """Three displays with a NaN, and two tests."""
    loss = series(TRAIN, [0.0, 20.0, 40.0], [2.0, 0.5, math.nan], [40.0])
    return figure(curves(loss, series(ACCURACY, [0.0, 40.0], [0.1, 0.9])), View(), "a <b> & c", 320, 200)


def test_the_svg_is_this_one() -> None:
    assert svg(small()) == GOLDEN.read_text()


def test_an_svg_is_xml_with_a_group_and_words_for_each_curve() -> None:
    root = ElementTree.fromstring(svg(small()).encode())
    titles = [each.text for each in root.iter("{http://www.w3.org/2000/svg}title")]
    assert titles == [
        "a <b> & c",
        "axes: iteration from 0 to 40",
        "train loss: last 0.5000, best 0.5000 at 20, NaN or infinite: crosses on the axis",
        "test accuracy: last 0.9000, best 0.9000 at 40 (right axis)",
    ]
    dashes = [each.get("stroke-dasharray") for each in root.iter("{http://www.w3.org/2000/svg}polyline")]
    assert set(dashes) == {None, "2 3"}


def test_a_title_from_outside_breaks_no_file() -> None:
    hostile = figure(curves(series(TRAIN, XS, FALLING)), View(), "\x00\x1b]0;x\x07 \u202e <&>\"' 😀 Größe")
    ElementTree.fromstring(svg(hostile).encode())
    assert raster.write(hostile).startswith(b"\x89PNG")


def test_a_png_has_the_curve_where_the_scene_has_it() -> None:
    flat = figure(curves(series(TRAIN, XS, [1.0] * 200)), View(), "", 400, 300, Paper(curves=("#ff0000",)))
    image = Image.open(io.BytesIO(raster.write(flat, 2))).convert("RGB")
    assert image.size == (800, 600)
    left, top, right, bottom = flat.area
    y = bottom - (bottom - top) / 1.02
    red = [place for place in range(600) if image.getpixel((round(left + right), place)) == (255, 0, 0)]
    assert red and abs(sum(red) / len(red) / 2 - y) < 1
    assert image.getpixel((799, 0)) == (255, 255, 255)


def test_shapes_are_filled_within_and_smooth_at_their_edges() -> None:
    square = Figure(20, 20, (0, 0, 20, 20), "", Paper())
    square.groups.append(Group((Shape(((4.5, 4.5), (15.5, 4.5), (15.5, 15.5), (4.5, 15.5)), "#000000"),)))
    square.groups.append(
        Group((Stroke(((0, 18), (20, 18)), "#0000ff", 2.0, clip=True), Words(1, 3, ".", "#00ff00")))
    )
    pixels = raster.pixels(square)
    assert pixels[10, 10].tolist() == [0, 0, 0] and 0 < pixels[10, 3].mean() < 255
    assert pixels[18, 10].tolist() == [0, 0, 255] and pixels[1, 18].tolist() == [255, 255, 255]


def test_dashes_are_as_long_as_they_should_be() -> None:
    pieces = raster.dashed([(0.0, 0.0), (10.0, 0.0), (10.0, 10.0)], (4.0, 2.0))
    assert pieces == [
        [(0.0, 0.0), (4.0, 0.0)],
        [(6.0, 0.0), (10.0, 0.0)],
        [(10.0, 2.0), (10.0, 6.0)],
        [(10.0, 8.0), (10.0, 10.0)],
    ]


def test_all_of_ascii_has_letters_of_its_own() -> None:
    printable = "".join(map(chr, range(33, 127)))
    drawn = lines_of(printable)
    assert all(drawn) and len(drawn) == 94
    box = lines_of("字")[0]
    same = [char for char, lines in zip(printable, drawn, strict=True) if lines == box]
    assert not same and lines_of("é") == lines_of("e") and lines_of(" ") == [[]]
    points = [point for letter in drawn for line in letter for point in line]
    assert all(0 <= x <= 4 and 0 <= y <= 8 for x, y in points)


def test_a_chart_has_its_legend_and_is_as_wide_as_asked() -> None:
    some = curves(series(TRAIN, XS, FALLING), series(ACCURACY, XS, [0.5] * 200))
    lines = chart(some, View(), "lenet", 60, 12).splitlines()
    assert lines[0] == "lenet" and lines[1].startswith("● train loss: last 0.0")
    assert lines[2].startswith("▲ test accuracy:") and lines[2].endswith("(right axis)")
    assert len(lines) == 3 + 12 + 1 and max(map(len, lines[3:])) == 60
    assert lines[-1].strip() == "iteration"
    plain = chart(some, View(log=True), "lenet", 60, 12, ascii_only=True)
    assert plain.isascii() and "o train loss" in plain
    coloured = chart(some, View(), "lenet", 60, 12, colour=True)
    assert re.sub(r"\x1b\[\d*m", "", coloured).count("┈") > 20


def test_a_chart_of_nothing_says_why() -> None:
    with pytest.raises(ValueError, match="no points"):
        chart([], View(), "t")
    with pytest.raises(ValueError, match="above zero"):
        chart(curves(series(TRAIN, [0.0], [-1.0])), View(log=True), "t")
    some = curves(series(TRAIN, [0.0, 1.0], [1.0, 0.0]))
    assert "not above zero" in chart(some, View(log=True), "t")


def test_a_plot_in_words() -> None:
    each = curve_of(series(TRAIN, [0.0, 20.0, 40.0], [2.0, 0.5, math.nan], [40.0]), HERE, "lenet")
    assert words([each], View()) == [
        "lenet train loss: 3 points, iteration 0 to 40.",
        "  It begins at 2.000, ends at 0.5000, best 0.5000 at 20, from 0.5000 to 2.000.",
        "  NaN or infinite between 40 and 40.",
        "  At 0: 2.000, 20: 0.5000, 40: NaN.",
    ]


def test_rows_outside_of_what_is_selected_are_not_exported() -> None:
    table = Table("a", "TRAIN", ["loss"], [(0, 0.0, [1.0]), (20, 1.5, [0.5]), (40, None, [0.25])])

    def kept(within: Range) -> list[float]:
        return [row[0] for row in cut(table, within, 1_764_000_000.0).rows]

    assert kept(Range()) == [0, 20, 40]
    assert kept(Range("iteration", 10, 30)) == [20]
    assert kept(Range("time", None, 1.0)) == [0]
    assert kept(Range("clock", 1_764_000_001.0)) == [20]


def test_forty_curves_have_a_legend_each() -> None:
    many = curves(
        *(series(SeriesKey(phase="test", name=f"c{n}", output=n), XS[:2], [n, 1.0]) for n in range(40))
    )
    assert len(figure(many, View(), "many").groups) == 42
