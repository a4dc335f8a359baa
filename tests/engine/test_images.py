"""Images decoded and resized as OpenCV did it, and ImageData and encoded records made of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from barista_engine.data import DataSources
from barista_engine.errors import CheckFailed
from barista_engine.glog import Glog
from barista_engine.images import decode, resize
from barista_engine.rng import Stream
from barista_server.caffe.prototxt import parse
from barista_server.caffe.schema import TEST, TRAIN, Datum, LayerParameter
from barista_server.data.lmdb_io import key_of, write_datums

from .golden_logs import FIXTURES, messages

IMAGES = FIXTURES / "images"
"""Files, and what OpenCV 5 reads from them and makes of color.png by its default resize."""
COLOR = {"color": True, "gray": False, "native": None}
OPENCV = dict(np.load(IMAGES / "opencv.npz"))


@pytest.fixture
def sources(tmp_path: Path) -> Iterator[DataSources]:
    fd = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    opened = DataSources(Glog(fd=fd), Stream(1))
    yield opened
    opened.close()
    os.close(fd)


@pytest.mark.parametrize("key", [key for key in OPENCV if not key.startswith("resize")])
def test_decodes_as_opencv(key: str) -> None:
    file, color = key.split("/")
    found = decode((IMAGES / file).read_bytes(), COLOR[color])
    assert found.shape == OPENCV[key].shape
    assert np.abs(found.astype(int) - OPENCV[key]).max() <= 1


@pytest.mark.parametrize("key", [key for key in OPENCV if key.startswith("resize")])
def test_resizes_as_opencv(key: str) -> None:
    height, width = map(int, key.split("/")[1].split("x"))
    found = resize(OPENCV["color.png/color"], height, width)
    assert np.abs(found.astype(int) - OPENCV[key]).max() <= 1


@given(data=st.binary(max_size=200), cut=st.integers(0, 400))
def test_what_is_no_image_is_said(data: bytes, cut: int) -> None:
    for bad in (data, (IMAGES / "color.png").read_bytes()[:cut]):
        with pytest.raises(ValueError, match=r"."):
            decode(bad, True)


def image_layer(source: Path, more: str = "", transform: str = "") -> LayerParameter:
    return parse(
        f'name: "im" type: "ImageData" top: "data" top: "label" transform_param {{ {transform} }} '
        f'image_data_param {{ source: "{source}" root_folder: "{IMAGES}/" {more} }}',
        LayerParameter,
    )


def test_images_come_in_the_order_of_the_list(tmp_path: Path, sources: DataSources) -> None:
    (tmp_path / "list").write_text("color.png 3\ncolor.jpg 5\ngray.png x\n")
    source = sources(image_layer(tmp_path / "list", "batch_size: 2", "mean_value: 10 scale: 0.5"), TRAIN, 2)
    assert source.shapes == [(2, 3, 19, 26), (2,)]
    assert messages((tmp_path / "log").read_bytes()) == [
        f"Opening file {tmp_path / 'list'}",
        "A total of 3 images.",
        "output data size: 2,3,19,26",
    ]
    batches = [source.next() for _ in range(3)]
    assert [labels.tolist() for _, labels in batches] == [[3, 5], [0, 3], [5, 0]]
    expected = (OPENCV["color.png/color"].astype(np.float32) - 10) / 2
    np.testing.assert_array_equal(batches[0][0][0], expected)


def test_images_are_resized_and_grey_on_demand(tmp_path: Path, sources: DataSources) -> None:
    (tmp_path / "list").write_text("color.png 0\n")
    color = sources(image_layer(tmp_path / "list", "new_height: 7 new_width: 9"), TEST, 2)
    assert np.abs(color.next()[0][0].numpy() - OPENCV["resize/7x9"]).max() <= 1
    grey = sources(image_layer(tmp_path / "list", "is_color: false"), TEST, 2)
    np.testing.assert_array_equal(grey.next()[0][0], OPENCV["color.png/gray"])


def test_shuffling_takes_every_image_once_a_pass(tmp_path: Path, sources: DataSources) -> None:
    (tmp_path / "list").write_text("".join(f"gray.png {label}\n" for label in range(20)))
    source = sources(image_layer(tmp_path / "list", "batch_size: 20 shuffle: true"), TRAIN, 2)
    first, second = (source.next()[1].tolist() for _ in range(2))
    assert sorted(first) == sorted(second) == list(range(20))
    assert first != second


@pytest.mark.parametrize(
    ("text", "more", "says"),
    [
        ("", "", "File is empty"),
        ("nowhere.png 1\n", "", "Could not load nowhere.png"),
        ("opencv.npz 1\n", "", "Could not load opencv.npz"),
        ("gray.png 1\n", "new_height: 3", "to be set at the same time"),
    ],
)
def test_a_bad_list_is_a_failed_check_that_names_the_layer(
    text: str, more: str, says: str, tmp_path: Path, sources: DataSources
) -> None:
    (tmp_path / "list").write_text(text)
    with pytest.raises(CheckFailed, match=says) as caught:
        sources(image_layer(tmp_path / "list", more), TRAIN, 2)
    assert "layer im" in caught.value.detail


@pytest.mark.parametrize("encoded", [False, True])
def test_colour_and_grey_at_once_matter_to_encoded_records_only(
    encoded: bool, tmp_path: Path, sources: DataSources
) -> None:
    data = (IMAGES / "color.jpg").read_bytes() if encoded else bytes(12)
    datum = Datum(encoded=encoded, data=data, channels=3, height=2, width=2)
    write_datums(tmp_path / "db", [(key_of(0), datum)])
    layer = parse(
        'name: "d" type: "Data" top: "data" transform_param { force_color: true force_gray: true } '
        f'data_param {{ source: "{tmp_path / "db"}" batch_size: 2 backend: LMDB }}',
        LayerParameter,
    )
    source = sources(layer, TRAIN, 1)
    if encoded:
        with pytest.raises(CheckFailed, match="cannot set both force_color and force_gray"):
            source.set_up()
    else:
        source.set_up()
        assert source.next()[0].shape == (2, 3, 2, 2)


@pytest.mark.parametrize(("force", "key"), [("", "native"), ("force_gray: true", "gray")])
def test_encoded_records_are_decoded(force: str, key: str, tmp_path: Path, sources: DataSources) -> None:
    data = (IMAGES / "color.jpg").read_bytes()
    write_datums(tmp_path / "db", [(key_of(0), Datum(encoded=True, data=data, label=4))])
    layer = parse(
        f'name: "d" type: "Data" top: "data" top: "label" transform_param {{ {force} crop_size: 11 }} '
        f'data_param {{ source: "{tmp_path / "db"}" batch_size: 2 backend: LMDB }}',
        LayerParameter,
    )
    source = sources(layer, TEST, 2)
    source.set_up()
    images, labels = source.next()
    whole = OPENCV[f"color.jpg/{key}"]
    assert np.abs(images[1].numpy() - whole[:, 4:15, 7:18]).max() <= 1
    assert labels.tolist() == [4, 4]
