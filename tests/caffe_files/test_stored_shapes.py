"""What data layers read, found out without reading it all: the same as the engine finds by decoding."""

import io
from pathlib import Path

import lmdb
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from barista_engine.images import decode
from barista_server.caffe.image_size import HEAD, image_size
from barista_server.caffe.prototxt import parse
from barista_server.caffe.schema import Datum, LayerParameter, NetParameter
from barista_server.caffe.stored_shapes import stored_in


def picture(mode: str, kind: str, **options: object) -> bytes:
    """An image of 21 x 13 pixels as a file."""
    pixels = np.random.default_rng(0).integers(0, 256, (13, 21, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(out, kind, **options)
    return out.getvalue()


PICTURES = {
    "jpeg": picture("RGB", "JPEG"),
    "jpeg-grey": picture("L", "JPEG"),
    "jpeg-cmyk": picture("CMYK", "JPEG"),
    "jpeg-progressive": picture("RGB", "JPEG", progressive=True, exif=b"Exif\0\0" + bytes(60_000)),
    "png": picture("RGB", "PNG"),
    "png-grey": picture("L", "PNG"),
    "png-bits": picture("1", "PNG"),
    "png-alpha": picture("RGBA", "PNG"),
    "png-grey-alpha": picture("LA", "PNG"),
    "png-palette": picture("P", "PNG"),
    "png-palette-clear": picture("P", "PNG", transparency=0),
}


@pytest.mark.parametrize("name", PICTURES)
def test_the_size_in_the_head_is_that_of_the_decoded_image(name: str) -> None:
    data = PICTURES[name]
    assert image_size(data[:HEAD]) == decode(data, None).shape


def test_what_is_no_image_or_ends_too_early_has_no_size() -> None:
    assert image_size(b"") is None
    assert image_size(picture("RGB", "BMP")) is None
    for data in PICTURES.values():
        assert image_size(data[:10]) is None


@given(st.sampled_from([b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b""]), st.binary(max_size=200))
def test_no_bytes_make_it_fail(start: bytes, rest: bytes) -> None:
    size = image_size(start + rest)
    assert size is None or len(size) == 3


def layer_of(text: str) -> LayerParameter:
    return parse(f'layer {{ name: "d" top: "x" top: "t" {text} }}', NetParameter).layer[0]


@pytest.mark.parametrize(
    ("name", "transform", "channels"),
    [("jpeg-grey", "", 1), ("jpeg-grey", "force_color: true", 3), ("png-alpha", "", 4),
     ("png-alpha", "force_gray: true", 1)],
)  # fmt: skip
def test_encoded_records(tmp_path: Path, name: str, transform: str, channels: int) -> None:
    with lmdb.open(str(tmp_path / "db"), map_size=1 << 20) as environment:
        with environment.begin(write=True) as transaction:
            transaction.put(b"0", Datum(data=PICTURES[name], encoded=True, label=1).SerializeToString())
    layer = layer_of(
        f'type: "Data" data_param {{ source: "db" backend: LMDB }} transform_param {{ {transform} }}'
    )
    assert stored_in(tmp_path)(layer) == [(channels, 13, 21)]


def test_the_first_image_of_a_list(tmp_path: Path) -> None:
    (tmp_path / "a b.png").write_bytes(PICTURES["png"])
    (tmp_path / "list.txt").write_text("a b.png 3\nnone.png 4\n")
    for more, channels in (("", 3), ("is_color: false", 1)):
        text = f'source: "list.txt" root_folder: "{tmp_path}/" batch_size: 2 {more}'
        assert stored_in(tmp_path)(layer_of(f'type: "ImageData" image_data_param {{ {text} }}')) == [
            (channels, 13, 21)
        ]
    missing = layer_of('type: "ImageData" image_data_param { source: "none.txt" }')
    assert stored_in(tmp_path)(missing) is None
