"""Batches come in Caffe's order and with Caffe's arithmetic."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import plyvel
import pytest

from barista_engine.data import DataSources
from barista_engine.errors import CheckFailed
from barista_engine.glog import Glog
from barista_engine.hdf5_data import Hdf5Source
from barista_engine.records import RecordSource
from barista_engine.rng import Stream
from barista_server.caffe.prototxt import parse
from barista_server.caffe.schema import TEST, TRAIN, Datum, LayerParameter, Phase
from barista_server.caffe.weights import array_to_blob
from barista_server.data.lmdb_io import key_of, write_datums

from .golden_logs import messages

SHAPE = (2, 6, 7)


@pytest.fixture
def log_path(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def sources(log_path: Path) -> Iterator[DataSources]:
    fd = os.open(log_path, os.O_WRONLY | os.O_CREAT)
    opened = DataSources(Glog(fd=fd), Stream(1))
    yield opened
    opened.close()
    os.close(fd)


def images(count: int) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (count, *SHAPE), dtype=np.uint8)


def write(path: Path, pixels: np.ndarray) -> None:
    """Records labelled by their number; bytes or, from a float array, float_data."""
    channels, height, width = pixels.shape[1:]
    records = []
    for index, image in enumerate(pixels):
        datum = Datum(channels=channels, height=height, width=width, label=index)
        if image.dtype == np.uint8:
            datum.data = image.tobytes()
        else:
            datum.float_data.extend(image.ravel().tolist())
        records.append((key_of(index), datum))
    write_datums(path, records)


def data_layer(path: Path, batch: int, transform: str = "", more: str = "") -> LayerParameter:
    return parse(
        f'name: "mnist" type: "Data" top: "data" top: "label" transform_param {{ {transform} }} '
        f'data_param {{ source: "{path}" batch_size: {batch} backend: LMDB {more} }}',
        LayerParameter,
    )


def opened(sources: DataSources, layer: LayerParameter, phase: Phase.ValueType = TEST) -> RecordSource:
    source = sources(layer, phase, len(layer.top))
    assert isinstance(source, RecordSource)
    source.set_up()
    return source


def test_records_come_in_key_order_and_wrap_without_a_short_batch(
    tmp_path: Path, sources: DataSources, log_path: Path
) -> None:
    write(tmp_path / "db", images(5))
    source = opened(sources, data_layer(tmp_path / "db", 3))
    assert source.shapes == [(3, *SHAPE), (3,)]
    assert messages(log_path.read_bytes()) == [
        f"Opened lmdb {tmp_path / 'db'}",
        "output data size: 3,2,6,7",
    ]
    labels = [source.next()[1].tolist() for _ in range(5)]
    assert labels == [[0, 1, 2], [3, 4, 0], [1, 2, 3], [4, 0, 1], [2, 3, 4]]
    assert b"Restarting data prefetching from start." in log_path.read_bytes()


def test_reading_ahead_is_bounded(tmp_path: Path, sources: DataSources, log_path: Path) -> None:
    write(tmp_path / "db", images(1))
    source = opened(sources, data_layer(tmp_path / "db", 1, more="prefetch: 2"))
    source.next()
    source.close()  # joins the reading thread, so the count below is final
    # one handed out, two in the queue, one in the thread's hand
    assert log_path.read_bytes().count(b"Restarting") <= 4


@pytest.mark.parametrize("floats", [False, True])
def test_scale_and_mean_values(tmp_path: Path, sources: DataSources, floats: bool) -> None:
    pixels = images(4).astype(np.float32) / 3 if floats else images(4)
    write(tmp_path / "db", pixels)
    transform = "scale: 0.5 mean_value: 10 mean_value: 20"
    data, _ = opened(sources, data_layer(tmp_path / "db", 4, transform)).next()
    expected = (pixels.astype(np.float32) - np.array([10, 20]).reshape(2, 1, 1)) * 0.5
    np.testing.assert_allclose(data.numpy(), expected, rtol=1e-6)


def test_test_phase_crops_the_centre_and_takes_the_mean_from_there(
    tmp_path: Path, sources: DataSources
) -> None:
    pixels = images(3)
    write(tmp_path / "db", pixels)
    mean = np.random.default_rng(0).random(SHAPE, dtype=np.float32)
    (tmp_path / "mean").write_bytes(array_to_blob(mean[None]).SerializeToString())
    layer = data_layer(tmp_path / "db", 3, f'crop_size: 3 mean_file: "{tmp_path / "mean"}"')
    source = opened(sources, layer)
    assert source.shapes[0] == (3, 2, 3, 3)
    expected = (pixels - mean)[:, :, 1:4, 2:5]
    np.testing.assert_allclose(source.next()[0].numpy(), expected, rtol=1e-5)


def test_training_crops_and_mirrors_at_random_with_the_mean_of_that_place(
    tmp_path: Path, sources: DataSources
) -> None:
    pixels = np.arange(np.prod(SHAPE), dtype=np.uint8).reshape(1, *SHAPE)
    write(tmp_path / "db", pixels)
    mean = (pixels[0] * 2).astype(np.float32)
    (tmp_path / "mean").write_bytes(array_to_blob(mean).SerializeToString())
    layer = data_layer(tmp_path / "db", 200, f'crop_size: 4 mirror: true mean_file: "{tmp_path / "mean"}"')
    data = opened(sources, layer, TRAIN).next()[0].numpy()
    whole = pixels[0] - mean
    crops = {
        window[..., ::step].tobytes()
        for top in range(3)
        for left in range(4)
        for step in (1, -1)
        for window in [np.ascontiguousarray(whole[:, top : top + 4, left : left + 4])]
    }
    assert {crop.tobytes() for crop in data} == crops


def test_a_training_and_a_test_layer_may_read_one_database(tmp_path: Path, sources: DataSources) -> None:
    write(tmp_path / "db", images(4))
    both = [opened(sources, data_layer(tmp_path / "db", 3), phase) for phase in (TRAIN, TEST)]
    assert [source.next()[1].tolist() for source in both] == [[0, 1, 2]] * 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, r"mdb_status == 0 \(2 vs. 0\) No such file or directory"),
        (lambda path: write_datums(path, []), "no records"),
        (
            lambda path: write_datums(path, [(b"0", Datum(channels=1, height=2, width=2, data=b"abc"))]),
            "3 values",
        ),
        (lambda path: write_datums(path, [(b"0", Datum(encoded=True, data=b"png"))]), "decode datum"),
    ],
)
def test_what_cannot_be_read_is_a_failed_check_that_names_the_layer(
    make: object, message: str, tmp_path: Path, sources: DataSources
) -> None:
    make(tmp_path / "db")  # type: ignore[operator]
    with pytest.raises(CheckFailed, match=message) as caught:
        opened(sources, data_layer(tmp_path / "db", 3))
    assert "mnist" in caught.value.detail


def leveldb_layer(path: Path, batch: int) -> LayerParameter:
    layer = data_layer(path, batch)
    layer.data_param.ClearField("backend")
    return layer


def test_a_leveldb_is_read_in_key_order(tmp_path: Path, sources: DataSources, log_path: Path) -> None:
    with plyvel.DB(str(tmp_path / "db"), create_if_missing=True) as database:
        for index in (2, 0, 1):
            datum = Datum(channels=1, height=1, width=2, data=bytes([index, 7]), label=index)
            database.put(key_of(index), datum.SerializeToString())
    source = opened(sources, leveldb_layer(tmp_path / "db", 2))
    assert messages(log_path.read_bytes())[0] == f"Opened leveldb {tmp_path / 'db'}"
    assert [source.next()[1].tolist() for _ in range(3)] == [[0, 1], [2, 0], [1, 2]]
    assert b"Restarting data prefetching from start." in log_path.read_bytes()
    with pytest.raises(CheckFailed, match=r"Failed to open leveldb .*\n.*(lock|held)"):
        sources(leveldb_layer(tmp_path / "db", 2), TRAIN, 2)


def test_a_leveldb_that_is_none_is_left_alone(tmp_path: Path, sources: DataSources) -> None:
    with pytest.raises(CheckFailed, match=r"Failed to open leveldb (.|\n)*backend: LMDB"):
        sources(leveldb_layer(tmp_path, 3), TRAIN, 2)
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


def test_an_error_in_the_reading_thread_reaches_the_net(tmp_path: Path, sources: DataSources) -> None:
    write_datums(
        tmp_path / "db",
        [
            (b"0", Datum(channels=1, height=1, width=2, data=b"ab")),
            (b"1", Datum(channels=1, height=1, width=3, data=b"abc")),
        ],
    )
    with pytest.raises(CheckFailed, match=r"datum_width == width \(3 vs. 2\)"):
        opened(sources, data_layer(tmp_path / "db", 2)).next()


def write_hdf5(path: Path, rows: range) -> None:
    with h5py.File(path, "w") as file:
        file["data"] = np.array([[row, -row] for row in rows], np.float64)
        file["label"] = np.array(rows, np.int32)


def hdf5_layer(folder: Path, batch: int, more: str = "") -> LayerParameter:
    return parse(
        f'name: "h" type: "HDF5Data" top: "data" top: "label" '
        f'hdf5_data_param {{ source: "{folder / "list"}" batch_size: {batch} {more} }}',
        LayerParameter,
    )


def hdf5_source(sources: DataSources, folder: Path, batch: int, more: str = "") -> Hdf5Source:
    write_hdf5(folder / "a.h5", range(3))
    write_hdf5(folder / "b.h5", range(3, 8))
    (folder / "list").write_text(f"{folder / 'a.h5'}\n{folder / 'b.h5'} \n")
    source = sources(hdf5_layer(folder, batch, more), TRAIN, 2)
    assert isinstance(source, Hdf5Source)
    return source


def test_hdf5_batches_span_files_and_start_again(
    tmp_path: Path, sources: DataSources, log_path: Path
) -> None:
    source = hdf5_source(sources, tmp_path, 5)
    assert source.shapes == [(5, 2), (5,)]
    assert messages(log_path.read_bytes()) == [
        f"Loading list of HDF5 filenames from: {tmp_path / 'list'}",
        "Number of HDF5 files: 2",
        "Datatype class: H5T_FLOAT",
        "Datatype class: H5T_INTEGER",
    ]
    batches = [source.next() for _ in range(3)]
    assert [label.tolist() for _, label in batches] == [[0, 1, 2, 3, 4], [5, 6, 7, 0, 1], [2, 3, 4, 5, 6]]
    assert batches[1][0][:, 1].tolist() == [-5, -6, -7, 0, -1]


def test_a_batch_may_be_larger_than_all_records(tmp_path: Path, sources: DataSources) -> None:
    label = hdf5_source(sources, tmp_path, 19).next()[1]
    assert label.tolist() == [*range(8), *range(8), 0, 1, 2]


def test_shuffled_hdf5_gives_every_record_once_in_another_order(tmp_path: Path, sources: DataSources) -> None:
    source = hdf5_source(sources, tmp_path, 8, "shuffle: true")
    epochs = [source.next() for _ in range(20)]
    for data, label in epochs:
        assert sorted(label.tolist()) == list(range(8))
        assert data[:, 0].tolist() == label.tolist()
    assert len({tuple(label.tolist()) for _, label in epochs}) > 10


def test_bad_hdf5_lists_and_files(tmp_path: Path, sources: DataSources) -> None:
    def refuse(message: str) -> None:
        with pytest.raises(CheckFailed, match=message):
            sources(hdf5_layer(tmp_path, 2), TRAIN, 2)

    refuse("Failed to open source file: ")
    (tmp_path / "list").write_text(" \n")
    refuse("Must have at least 1 HDF5 filename listed in")
    (tmp_path / "list").write_text(f"{tmp_path / 'a.h5'}")
    refuse("Failed opening HDF5 file: .*a.h5")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["data"] = np.zeros((3, 2))
    refuse("Failed to get dataset ndims for label")
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file["label"] = np.zeros(4)
    refuse(r"hdf_blobs_\[i\]->shape\(0\) == num \(4 vs. 3\)")


def test_waiting_is_said_once(tmp_path: Path, sources: DataSources, log_path: Path) -> None:
    write(tmp_path / "db", images(2))
    source = opened(sources, data_layer(tmp_path / "db", 1))
    for _ in range(50):
        source.next()
    assert log_path.read_bytes().count(b"blocking_queue.cpp:49] Waiting for data") <= 1
    assert len(messages(log_path.read_bytes())) == 2  # of opening it
