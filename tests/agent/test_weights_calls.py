"""What the agent tells of trained models: of a session's snapshots and of files on its machine."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from barista_server.api.link import CallFailed, Link
from barista_server.api.messages import (
    MOST_VALUES,
    BlobInfo,
    BlobStatsList,
    BlobValues,
    Done,
    GetBlob,
    GetBlobStats,
    ListWeights,
    Ping,
    SnapshotReply,
    SnapshotSession,
    WeightsList,
)
from barista_server.caffe.schema import NetParameter
from barista_server.caffe.weights import read_weights, write_weights

from .agents import Root, Watcher, new, solver

GOLDEN = Path(__file__).parent.parent / "fixtures/golden/solvers"
BINARY = GOLDEN / "sgd_inv_iter_10.caffemodel"
HDF5 = GOLDEN / "sgd_hdf5snap_iter_10.caffemodel.h5"


def model(path: Path, *blobs: np.ndarray) -> Path:
    write_weights(path, net := NetParameter(name="n"), {})
    net.layer.add(name="ip", type="InnerProduct")
    write_weights(path, net, {"ip": list(blobs)})
    return path


def size(path: Path) -> int:
    return path.stat().st_size


async def values(link: Link, path: Path, start: int = 0, stop: int | None = None) -> BlobValues:
    return await link.call(GetBlob(layer=0, blob=0, start=start, stop=stop, path=str(path)), BlobValues)


@pytest.mark.parametrize("path", [BINARY, HDF5], ids=["binary", "hdf5"])
async def test_layers_values_and_statistics_of_a_file(watcher: Watcher, path: Path) -> None:
    link = watcher.link
    told = await link.call(ListWeights(path=str(path)), WeightsList)
    assert (told.path, told.size, told.iteration) == (str(path), size(path), None)
    assert told.net == ("tiny" if path is BINARY else "")
    real = read_weights(path).layers
    assert [layer.name for layer in told.layers] == list(real)
    number, layer = next((n, one) for n, one in enumerate(told.layers) if one.name == "ip2")
    assert layer.blobs == [BlobInfo(shape=[10, 24]), BlobInfo(shape=[10])]
    assert (layer.type, layer.form) == (("InnerProduct", "current") if path is BINARY else ("", "HDF5"))
    got = await link.call(GetBlob(layer=number, blob=0, start=3, stop=7, path=str(path)), BlobValues)
    assert (got.shape, got.start, got.rows) == ([4, 24], 3, 10)
    np.testing.assert_array_equal(np.frombuffer(got.data, "<f4").reshape(got.shape), real["ip2"][0][3:7])
    data = [layer.name for layer in told.layers].index("data")
    call = GetBlobStats(layers=[data, number], path=str(path))
    none, (stats, _) = (await link.call(call, BlobStatsList)).layers
    assert none == []
    assert stats is not None and (stats.count, stats.nans, stats.infinite, stats.zeros) == (240, 0, 0, 0)
    blob = real["ip2"][0].astype(np.float64)
    found = [stats.least, stats.mean, stats.greatest, stats.deviation]
    np.testing.assert_allclose(found, [blob.min(), blob.mean(), blob.max(), blob.std()], rtol=1e-9)


async def test_a_sessions_newest_snapshot_or_that_of_an_iteration(watcher: Watcher) -> None:
    link = watcher.link
    await new(link, solver(speed=50))
    with pytest.raises(CallFailed, match="no verified snapshot yet"):
        await link.call(ListWeights(session="1"), WeightsList)
    first = (await link.call(SnapshotSession(session="1"), SnapshotReply)).snapshot
    await watcher.iteration(first.iteration + 1)
    second = (await link.call(SnapshotSession(session="1"), SnapshotReply)).snapshot
    assert second.iteration > first.iteration
    for wanted, snapshot in ((None, second), (first.iteration, first)):
        told = await link.call(ListWeights(session="tiny", iteration=wanted), WeightsList)
        assert (told.session, told.iteration) == ("1", snapshot.iteration)
        assert Path(told.path).name == snapshot.model
        assert sum(len(layer.blobs) for layer in told.layers) > 0
    with pytest.raises(CallFailed, match="no snapshot of iteration 999999"):
        await link.call(ListWeights(session="1", iteration=999999), WeightsList)


async def test_an_answer_holds_whole_rows_and_fits_a_frame(watcher: Watcher, tmp_path: Path) -> None:
    wide = np.arange(5 * 600_000, dtype=np.float32).reshape(1, 1, 5, 600_000)
    path = model(tmp_path / "wide", wide)
    seen: list[np.ndarray] = []
    start = 0
    while start < 5:
        got = await values(watcher.link, path, start)
        assert got.rows == 5 and got.start == start and got.shape[1:] == [600_000]
        assert len(got.data) <= 4 * MOST_VALUES
        seen.append(np.frombuffer(got.data, "<f4").reshape(got.shape))
        start += got.shape[0]
    assert len(seen) == 2
    np.testing.assert_array_equal(np.concatenate(seen), wide[0, 0])
    assert (await values(watcher.link, path, 2, 1)).shape == [0, 600_000]
    assert (await values(watcher.link, path, -5, 99)).start == 0
    with pytest.raises(CallFailed, match="a row of the blob"):
        await values(watcher.link, model(tmp_path / "w", np.zeros((2, MOST_VALUES + 1), np.float32)))
    for odd in (np.float32(3), np.zeros((0, 4), np.float32), np.ones((1, 1, 1), np.float32)):
        got = await values(watcher.link, model(tmp_path / "odd", np.asarray(odd)))
        assert np.frombuffer(got.data, "<f4").tolist() == np.ravel(odd).tolist()


async def test_statistics_of_values_that_are_no_numbers(watcher: Watcher, tmp_path: Path) -> None:
    odd = np.array([np.nan, np.inf, -np.inf, 0, -0.0, 1, 3], np.float32)
    path = model(tmp_path / "odd", odd, np.full(4, np.nan, np.float32), np.zeros(0, np.float32))
    call = GetBlobStats(layers=[0], path=str(path))
    ((some, none, empty),) = (await watcher.link.call(call, BlobStatsList)).layers
    assert some is not None and none is not None and empty is not None
    assert (some.count, some.nans, some.infinite, some.zeros) == (7, 1, 2, 2)
    assert (some.least, some.mean, some.greatest, some.deviation) == (0, 1, 3, pytest.approx(1.5**0.5))
    assert (none.count, none.nans, none.mean) == (4, 4, None)
    assert (empty.count, empty.least) == (0, None)


async def test_what_cannot_be_told_is_a_failure_and_hurts_nobody(watcher: Watcher, tmp_path: Path) -> None:
    link = watcher.link

    async def refused(call: ListWeights | GetBlob | GetBlobStats, code: str, text: str) -> None:
        with pytest.raises(CallFailed, match=text) as caught:
            await link.call(call, WeightsList)
        assert caught.value.failure.code == code

    await refused(ListWeights(path="relative"), "invalid", "no absolute path")
    await refused(ListWeights(), "invalid", "no absolute path")
    await refused(ListWeights(session="none"), "not-found", "no session")
    await refused(ListWeights(path=str(tmp_path / "none")), "not-found", "there is no")
    await refused(ListWeights(path=str(tmp_path)), "invalid", "no regular file")
    await refused(ListWeights(path="/dev/zero"), "invalid", "no regular file")
    cut = tmp_path / "cut"
    cut.write_bytes(BINARY.read_bytes()[:-100])
    await refused(ListWeights(path=str(cut)), "invalid", "cut.*at byte")
    await refused(GetBlob(layer=99, blob=0, path=str(BINARY)), "not-found", "no layer 99")
    await refused(GetBlob(layer=-1, blob=0, path=str(BINARY)), "not-found", "no layer -1")
    await refused(GetBlob(layer=0, blob=5, path=str(HDF5)), "not-found", "no blob 5")
    cut.write_bytes(HDF5.read_bytes()[:3000])
    await refused(ListWeights(path=str(cut)), "invalid", "cut")
    with h5py.File(tmp_path / "huge.h5", "w") as file:
        file.create_dataset("data/ip/0", (2**18, 2**12), np.float32, chunks=(1, 2**12))
    await refused(ListWeights(path=str(tmp_path / "huge.h5")), "invalid", "claims")
    await link.call(Ping(), Done)


async def test_a_blob_that_hdf5_leaves_to_another_layer(root: Root, watcher: Watcher, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "s.h5", "w") as file:
        file["data/ip/1"] = np.ones(3, np.float64)
    told = await watcher.link.call(ListWeights(path=str(tmp_path / "s.h5")), WeightsList)
    shared, own = told.layers[0].blobs
    assert shared.shared and not own.shared and (own.shape, own.dtype) == ([3], "float64")
    call = GetBlobStats(layers=[0], path=str(tmp_path / "s.h5"))
    first, second = (await watcher.link.call(call, BlobStatsList)).layers[0]
    assert first is None and second is not None and second.mean == 1
    with pytest.raises(CallFailed, match="shares it"):
        await watcher.link.call(GetBlob(layer=0, blob=0, path=str(tmp_path / "s.h5")), BlobValues)
