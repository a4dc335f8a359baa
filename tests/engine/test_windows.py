"""WindowData: windows sorted into objects and background, warped with their context."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from barista_engine.data import DataSources
from barista_engine.errors import CheckFailed
from barista_engine.glog import Glog
from barista_engine.images import resize
from barista_engine.rng import Stream
from barista_engine.window_data import Placed, place
from barista_server.caffe.prototxt import parse
from barista_server.caffe.schema import TRAIN, LayerParameter

from .golden_logs import FIXTURES, messages

IMAGES = FIXTURES / "images"
PIXELS = np.load(IMAGES / "opencv.npz")["color.png/color"]  # 19 high, 26 wide
WINDOWS = """# 0
color.png
3 19 26
4
2 0.9 3 4 12 15
1 0.5 0 0 25 18
3 0.3 1 1 2 2
0 0.1 5 6 9 9
"""


@pytest.fixture
def sources(tmp_path: Path) -> Iterator[DataSources]:
    fd = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    opened = DataSources(Glog(fd=fd), Stream(1))
    yield opened
    opened.close()
    os.close(fd)


def window_layer(folder: Path, text: str = WINDOWS, more: str = "", transform: str = "") -> LayerParameter:
    (folder / "windows").write_text(text)
    return parse(
        f'name: "w" type: "WindowData" top: "data" top: "label" '
        f"transform_param {{ crop_size: 8 {transform} }} "
        f'window_data_param {{ source: "{folder / "windows"}" root_folder: "{IMAGES}/" batch_size: 40 '
        f"bg_threshold: 0.2 {more} }}",
        LayerParameter,
    )


def test_objects_and_background_are_sampled_and_warped(tmp_path: Path, sources: DataSources) -> None:
    source = sources(window_layer(tmp_path, transform="mean_value: 7", more="scale: 0.5"), TRAIN, 2)
    assert messages((tmp_path / "log").read_bytes()) == [
        "Window data layer:",
        f"num: 0 {IMAGES}/color.png 3 19 26 windows to process: 4",
        "Number of images: 1",
        "class 0 has 1 samples",
        "class 1 has 1 samples",
        "class 2 has 1 samples",
        "Amount of context padding: 0",
        "Crop mode: warp",
        "output data size: 40,3,8,8",
    ]
    data, labels = source.next()
    assert labels[:30].tolist() == [0] * 30
    assert set(labels[30:].tolist()) == {1, 2}
    for label, (x1, y1, x2, y2) in {0: (5, 6, 9, 9), 1: (0, 0, 25, 18), 2: (3, 4, 12, 15)}.items():
        expected = (resize(PIXELS[:, y1 : y2 + 1, x1 : x2 + 1], 8, 8) - np.float32(7)) / 2
        for image in data[labels == label]:
            np.testing.assert_array_equal(image, expected)


def test_mirroring_turns_half_of_them(tmp_path: Path, sources: DataSources) -> None:
    data, labels = sources(window_layer(tmp_path, transform="mirror: true"), TRAIN, 2).next()
    background = [image.numpy() for image in data[labels == 0]]
    plain = resize(PIXELS[:, 6:10, 5:10], 8, 8)
    turned = [np.array_equal(image, plain[..., ::-1]) for image in background]
    assert 3 < sum(turned) < 27
    assert all(turn or np.array_equal(image, plain) for turn, image in zip(turned, background, strict=True))


@pytest.mark.parametrize(
    ("corners", "pad", "square", "mirror", "placed"),
    [
        # 10 x 10 pixels at scale 20 / 16 are 13 from -1 on: the one outside becomes 20 / 13, 2 of zeros
        ((0, 5, 9, 14), 2, False, False, Placed((0, 4, 11, 16), 20, 18, 0, 2)),
        ((0, 5, 9, 14), 2, False, True, Placed((0, 4, 11, 16), 20, 18, 0, 0)),
        # 4 wide and 10 high becomes 11 x 11 about its centre
        ((20, 20, 23, 29), 0, True, False, Placed((17, 20, 27, 30), 20, 20, 0, 0)),
        ((0, 0, 39, 39), 0, False, True, Placed((0, 0, 39, 39), 20, 20, 0, 0)),
    ],
)
def test_context_is_taken_where_there_is_image(
    corners: tuple[int, int, int, int], pad: int, square: bool, mirror: bool, placed: Placed
) -> None:
    assert place(corners, (40, 40), 20, pad, square, mirror) == placed


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty or damaged"),
        (WINDOWS[:-6], "breaks off in image 1"),
        (WINDOWS.replace("2 0.9", "0 0.9"), r"label > 0 \(0 vs. 0\)"),
        (WINDOWS.replace("0 0.1", "0 0.4"), "0 of background > 0"),
    ],
)
def test_a_bad_file_is_a_failed_check(text: str, says: str, tmp_path: Path, sources: DataSources) -> None:
    with pytest.raises(CheckFailed, match=says):
        sources(window_layer(tmp_path, text), TRAIN, 2)
