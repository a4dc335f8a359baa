"""Damaged and odd data: an error that names file and reason, or a batch; never a crash or all the memory."""

from __future__ import annotations

import io
import json
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import h5py
import lmdb
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from barista_engine.data import DataSources
from barista_engine.errors import CheckFailed
from barista_engine.glog import Glog
from barista_engine.images import decode
from barista_engine.rng import Stream
from barista_engine.transform import read_mean
from barista_server.caffe.prototxt import parse
from barista_server.caffe.schema import TEST, TRAIN, BlobProto, Datum, LayerParameter
from barista_server.caffe.weights import array_to_blob

from ..caffe_files.wire_forms import messages

FIXTURES = Path(__file__).parent.parent / "fixtures"
GOLDEN = FIXTURES / "golden/solvers"
READER = Path(__file__).parent.parent / "support" / "read_damaged_hdf5.py"

fuzzed = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=80)


@pytest.fixture
def sources(tmp_path: Path) -> Iterator[DataSources]:
    fd = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    opened = DataSources(Glog(fd=fd), Stream(1))
    yield opened
    opened.close()
    os.close(fd)


def batches(text: str, where: str, phase: int = TRAIN) -> None:
    """Open the layer's source and take two batches: fine, or a failed check that names `where`."""
    layer = parse(f'name: "mnist" top: "data" top: "label" {text}', LayerParameter)
    with Path(os.devnull).open("wb") as null:
        opened = DataSources(Glog(fd=null.fileno()), Stream(1))
        try:
            source = opened(layer, phase, 2)
            source.set_up()
            for _ in range(2):
                for tensor, shape in zip(source.next(), source.shapes, strict=True):
                    assert tuple(tensor.shape[:2]) == tuple(shape[:2])  # images may differ in size
        except CheckFailed as error:
            assert where in str(error), str(error)
        finally:
            opened.close()


# ---------------------------------------------------------------------------------------------------- Datum

_SIDES = st.one_of(st.integers(-3, 6), st.sampled_from([2**31 - 1, -(2**31)]))
_IMAGES = [path.read_bytes() for path in sorted((FIXTURES / "images").glob("*.[jp]*g"))]


@st.composite
def datums(draw: st.DrawFn) -> bytes:
    """A record: right, lying, empty, encoded or not, or no Datum at all."""
    if draw(st.integers(0, 4)) == 0:
        return draw(st.one_of(st.binary(max_size=30), messages))
    datum = Datum()
    for field in ("channels", "height", "width", "label"):
        if draw(st.integers(0, 9)):
            setattr(datum, field, draw(_SIDES))
    size = draw(st.sampled_from([0, 1, 5, max(0, min(1000, datum.channels * datum.height * datum.width))]))
    what = draw(st.sampled_from(["bytes", "floats", "both", "encoded"]))
    if what == "encoded":
        datum.encoded, datum.data = True, draw(st.one_of(st.binary(max_size=9), st.sampled_from(_IMAGES)))
    if what in ("bytes", "both"):
        datum.data = bytes(size)
    if what in ("floats", "both"):
        datum.float_data.extend([float("nan")] * size)
    return datum.SerializeToString()


@fuzzed
@given(
    records=st.lists(datums(), min_size=1, max_size=3),
    transform=st.sampled_from(
        ["", "crop_size: 2 mirror: true", "mean_value: 1 scale: 0.5", "force_color: true"]
    ),
    batch=st.integers(1, 4),
)
def test_records_of_any_kind(records: list[bytes], transform: str, batch: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with lmdb.open(folder, map_size=1 << 20, sync=False) as environment:
            with environment.begin(write=True) as transaction:
                for index, record in enumerate(records):
                    transaction.put(b"%d" % index, record)
        batches(
            f'type: "Data" transform_param {{ {transform} }} data_param {{ source: "{folder}" '
            f"batch_size: {batch} backend: LMDB }}",
            "mnist" if transform != "crop_size: 2 mirror: true" else "",
        )


@pytest.mark.parametrize("dims", [(-1, -2, 3), (1, 2, 4), (2**31 - 1, 2**31 - 1, 2), (0, 0, 0)])
def test_a_record_whose_shape_lies(tmp_path: Path, sources: DataSources, dims: tuple[int, ...]) -> None:
    datum = Datum(channels=dims[0], height=dims[1], width=dims[2], data=b"abcdef")
    with lmdb.open(str(tmp_path / "db")) as environment, environment.begin(write=True) as transaction:
        transaction.put(b"0", datum.SerializeToString())
    layer = parse(
        f'name: "mnist" type: "Data" top: "data" data_param {{ source: "{tmp_path / "db"}" backend: LMDB '
        "batch_size: 1 }",
        LayerParameter,
    )
    with pytest.raises(CheckFailed, match=r"holds 6 values, its shape asks for .*mnist"):
        sources(layer, TEST, 1).set_up()


def test_records_of_one_size_and_other_shapes_are_not_mixed(tmp_path: Path, sources: DataSources) -> None:
    with lmdb.open(str(tmp_path / "db")) as environment, environment.begin(write=True) as transaction:
        for index, (height, width) in enumerate([(2, 3), (3, 2)]):
            datum = Datum(channels=1, height=height, width=width, data=b"abcdef")
            transaction.put(b"%d" % index, datum.SerializeToString())
    layer = parse(
        f'name: "mnist" type: "Data" top: "data" data_param {{ source: "{tmp_path / "db"}" backend: LMDB '
        "batch_size: 2 }",
        LayerParameter,
    )
    source = sources(layer, TEST, 1)
    source.set_up()
    with pytest.raises(CheckFailed, match="one shape"):
        source.next()


# --------------------------------------------------------------------------------------------------- images


def encoded(kind: str) -> bytes:
    out = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
    Image.fromarray(pixels).save(out, kind)
    return out.getvalue()


_FORMATS = [*_IMAGES, *(encoded(kind) for kind in ("BMP", "TIFF", "PPM", "GIF", "WEBP", "JPEG2000"))]


@pytest.mark.filterwarnings("ignore::UserWarning")
@settings(deadline=None, max_examples=400)
@given(data=st.data(), color=st.sampled_from([None, True, False]))
def test_damaged_images_are_decoded_or_refused(data: st.DataObject, color: bool | None) -> None:
    damaged = bytearray(data.draw(st.sampled_from(_FORMATS)))
    for _ in range(data.draw(st.integers(0, 6))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    del damaged[data.draw(st.integers(0, len(damaged))) :]
    try:
        pixels = decode(bytes(damaged), color)
    except ValueError as error:
        assert str(error)
        return
    assert pixels.dtype == np.uint8 and pixels.ndim == 3
    assert pixels.shape[0] in {None: (1, 3, 4), True: (3,), False: (1,)}[color]


def png(width: int, height: int) -> bytes:
    """Some hundred bytes that say they are an image of that size."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def test_a_small_file_that_would_fill_the_memory_is_refused() -> None:
    with pytest.raises(ValueError, match="exceeds limit"):
        decode(png(30_000, 30_000), True)
    with pytest.raises(ValueError):
        decode(png(2**31 - 1, 2**31 - 1), None)


def test_no_other_program_is_started_for_an_image() -> None:
    with pytest.raises(ValueError):
        decode(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n", True)


# ---------------------------------------------------------------------------------------------------- lists

_WORDS = st.one_of(
    st.sampled_from(["#", "0", "1", "-1", "9" * 30, "9" * 5000, "1e400", "nan", "inf", "x.png", "3", "0.7"]),
    st.text(max_size=4),
)


@fuzzed
@given(
    lines=st.lists(st.lists(_WORDS, max_size=4).map(" ".join), max_size=5), end=st.sampled_from(["", "\n"])
)
def test_any_image_list(tmp_path: Path, lines: list[str], end: str) -> None:
    shutil.copy(FIXTURES / "images/color.png", tmp_path / "x.png")
    (tmp_path / "list").write_bytes(("\n".join(lines) + end).encode("utf-8", "surrogatepass"))
    batches(
        f'type: "ImageData" image_data_param {{ source: "{tmp_path / "list"}" batch_size: 2 '
        f'root_folder: "{tmp_path}/" }}',
        "mnist",
    )


@pytest.mark.parametrize(
    ("label", "number"),
    [("7", 7), ("-3x", -3), ("x", 0), ("0009", 9), ("4294967297", 1), ("9" * 5000, -1), ("+5\r", 5)],
)
def test_labels_are_read_as_c_reads_them(
    tmp_path: Path, sources: DataSources, label: str, number: int
) -> None:
    shutil.copy(FIXTURES / "images/color.png", tmp_path / "a b.png")
    (tmp_path / "list").write_bytes(f"{tmp_path}/a b.png {label}".encode())
    layer = parse(
        f'name: "i" type: "ImageData" top: "data" top: "label" image_data_param {{ '
        f'source: "{tmp_path / "list"}" batch_size: 1 }}',
        LayerParameter,
    )
    assert sources(layer, TEST, 2).next()[1].tolist() == [number]


@fuzzed
@given(
    windows=st.lists(
        st.tuples(
            st.integers(0, 2),
            st.sampled_from([0.0, 0.7, 1.0]),
            *[st.one_of(st.integers(-60, 60), st.sampled_from([2**31 - 1, -(2**31)]))] * 4,
        ),
        min_size=1,
        max_size=4,
    ),
    pad=st.integers(0, 6),
    square=st.booleans(),
    noise=st.lists(_WORDS, max_size=2).map(" ".join),
)
def test_any_window_file(
    tmp_path: Path, windows: list[tuple[float, ...]], pad: int, square: bool, noise: str
) -> None:
    rows = [(1, 1, 1, 1, 5, 5), (0, 0, 0, 0, 4, 4), *windows]
    lines = [" ".join(map(str, row)) for row in rows]
    image = FIXTURES / "images/color.png"
    lines = ["# 0", str(image), "3 40 40", str(len(rows)), *lines, noise]
    (tmp_path / "windows").write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))
    batches(
        f'type: "WindowData" transform_param {{ crop_size: 8 mirror: true }} window_data_param {{ '
        f'source: "{tmp_path / "windows"}" batch_size: 6 context_pad: {pad} '
        f'crop_mode: "{"square" if square else "warp"}" }}',
        "mnist",
    )


# ----------------------------------------------------------------------------------------------------- means


@fuzzed
@given(body=messages)
def test_any_mean_file(tmp_path: Path, body: bytes) -> None:
    (tmp_path / "mean").write_bytes(body)
    try:
        assert read_mean(str(tmp_path / "mean")).ndim == 3
    except CheckFailed as error:
        assert str(tmp_path / "mean") in str(error)


def test_mean_files_of_all_forms(tmp_path: Path) -> None:
    values = np.arange(6, dtype=np.float32)
    old = BlobProto(num=1, channels=1, height=2, width=3, data=values)
    double = BlobProto(num=1, channels=1, height=2, width=3, double_data=values)
    for blob in (
        old,
        double,
        array_to_blob(values.reshape(1, 1, 2, 3)),
        array_to_blob(values.reshape(1, 2, 3)),
    ):
        (tmp_path / "mean").write_bytes(blob.SerializeToString())
        np.testing.assert_array_equal(read_mean(str(tmp_path / "mean")), values.reshape(1, 2, 3))


# ------------------------------------------------------------------------------------------------------ HDF5


def hdf5_refused(sources: DataSources, folder: Path, message: str) -> None:
    layer = parse(
        f'name: "h" type: "HDF5Data" top: "data" top: "label" '
        f'hdf5_data_param {{ source: "{folder / "list"}" batch_size: 2 }}',
        LayerParameter,
    )
    (folder / "list").write_text(f"{folder / 'x.h5'}\n")
    with pytest.raises(CheckFailed, match=message) as caught:
        sources(layer, TRAIN, 2)
    assert str(folder / "x.h5") in str(caught.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.array(["a", "b", "c"], dtype="S3"), "Unsupported datatype class: H5T_STRING"),
        (np.array([(1, 2.0)] * 3, dtype=[("a", "i4"), ("b", "f4")]), "Unsupported .*H5T_COMPOUND"),
        (np.array([True, False, True]), "Unsupported datatype class: H5T_ENUM"),
        (np.zeros(3, np.complex64), "Unsupported datatype class: H5T_COMPOUND"),
        (np.float32(3), r"ndims >= min_dim \(0 vs. 1\)"),
        (np.zeros((0, 2)), r"shape\(0\) == num \(3 vs. 0\)"),
        (np.zeros((4, 2)), r"shape\(0\) == num \(3 vs. 4\)"),
    ],
)
def test_hdf5_data_of_other_kinds(
    tmp_path: Path, sources: DataSources, data: np.ndarray, message: str
) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["data"] = data
        file["label"] = np.zeros(3, np.float32)
    hdf5_refused(sources, tmp_path, message)


def test_hdf5_data_that_claims_more_than_is_there(tmp_path: Path, sources: DataSources) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("data", (2**20, 2**9), np.float32, chunks=(1, 2**9))
        file["label"] = np.zeros(3, np.float32)
    hdf5_refused(sources, tmp_path, "claims 2147483648 bytes, the file holds 0")
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("data", (2**40,), np.float32, chunks=(2**10,))
        file["label"] = h5py.SoftLink("/nowhere")
    hdf5_refused(sources, tmp_path, "Failed")


@pytest.mark.parametrize("dtype", ["i1", "u2", "i8", "f2", "f8", ">f4", ">i4"])
def test_hdf5_numbers_of_any_size_are_read(tmp_path: Path, sources: DataSources, dtype: str) -> None:
    values = np.arange(6).reshape(3, 2)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["data"] = values.astype(dtype)
        file["label"] = np.arange(3).astype(dtype)
    (tmp_path / "list").write_text(f"{tmp_path / 'x.h5'}\n")
    layer = parse(
        f'name: "h" type: "HDF5Data" top: "data" top: "label" '
        f'hdf5_data_param {{ source: "{tmp_path / "list"}" batch_size: 3 }}',
        LayerParameter,
    )
    data, label = sources(layer, TRAIN, 2).next()
    np.testing.assert_array_equal(data.numpy(), values.astype(np.float32), strict=True)
    assert label.tolist() == [0, 1, 2]


@fuzzed
@given(
    text=st.one_of(
        st.binary(max_size=30), st.text(max_size=9).map(lambda text: text.encode("utf-8", "replace"))
    )
)
def test_any_hdf5_list(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "list").write_bytes(text)
    batches(f'type: "HDF5Data" hdf5_data_param {{ source: "{tmp_path / "list"}" batch_size: 2 }}', "")


def hdf5_sources(folder: Path) -> None:
    """Files of Caffe's and of h5py's, packed and not, in the old and the new format."""
    shutil.copy(GOLDEN / "sgd_hdf5snap_iter_10.caffemodel.h5", folder / "model-caffe.h5")
    shutil.copy(GOLDEN / "sgd_hdf5snap_iter_10.solverstate.h5", folder / "state-caffe.h5")
    shutil.copy(GOLDEN / "train0.h5", folder / "data-plain.h5")
    for version in ("earliest", "latest"):
        with h5py.File(folder / f"data-{version}.h5", "w", libver=version) as file:
            data = np.random.default_rng(0).random((20, 3, 4), np.float32)
            file.create_dataset(
                "data", data=data, chunks=(5, 3, 4), compression="gzip", shuffle=True, fletcher32=True
            )
            file.create_dataset("label", data=np.arange(20), chunks=(7,), maxshape=(None,))


@pytest.mark.parametrize("seed", [1])
def test_damaged_hdf5_files_are_read_or_refused(tmp_path: Path, seed: int) -> None:
    """In another process, so that a crash of libhdf5 is a failed test."""
    hdf5_sources(tmp_path)
    done = subprocess.run(
        [sys.executable, READER, tmp_path, str(seed), "400"],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["read"] > 100 and found["refused"] > 100
