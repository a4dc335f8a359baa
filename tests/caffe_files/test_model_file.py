"""Models and states opened without reading them: the same as protobuf finds, from any bytes at all."""

from __future__ import annotations

import os
import re
import tracemalloc
from pathlib import Path

import h5py
import numpy as np
import pytest
from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from barista_server.caffe import wire
from barista_server.caffe.blobs import Blob
from barista_server.caffe.errors import WeightsError
from barista_server.caffe.model_file import REUSED, ModelFile, StateFile, read_blob_file
from barista_server.caffe.schema import BlobProto, BlobShape, NetParameter, SolverState
from barista_server.caffe.weights import (
    SnapshotInfo,
    State,
    array_to_blob,
    read_weights,
    verify_snapshot,
    write_state,
    write_weights,
)
from barista_server.caffe.wire import BYTES

from .wire_forms import field, floats, messages, shape, single_floats, tag, varint

GOLDEN = Path(__file__).parent.parent / "fixtures/golden/solvers"
MODELS = sorted(GOLDEN.glob("*.caffemodel"))
STATES = sorted(GOLDEN.glob("*.solverstate"))

fuzzed = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150
)
Found = list[tuple[str, list[np.ndarray]]] | None


class OfAFork(Exception):
    """What protobuf does not know and we do: NVCaffe's values."""


def expected(blob: BlobProto) -> np.ndarray:
    """The blob's values as protobuf parses it and Caffe understands it. Raises ValueError, OfAFork."""
    old = any(blob.HasField(name) for name in ("num", "channels", "height", "width"))  # type: ignore[arg-type]
    dims = [blob.num, blob.channels, blob.height, blob.width] if old else list(blob.shape.dim)
    if any(one.field_number == 12 for one in UnknownFieldSet(blob)):
        raise OfAFork
    if min(dims, default=0) < 0 or len(dims) > 32:
        raise ValueError("no blob of Caffe's")
    with np.errstate(over="ignore", invalid="ignore"):
        values = np.array(blob.double_data or blob.data, np.float32)
    return values.reshape(dims)


def text(name: str | bytes) -> str:
    return name if isinstance(name, str) else name.decode("utf-8", "surrogateescape")


def protobuf_model(net: NetParameter) -> Found:
    """Layers and blobs as a full parse gives them; None where Caffe would refuse them. Raises OfAFork."""
    old = [layer.layer if layer.HasField("layer") else layer for layer in net.layers]
    layers = [*old, *net.layer]
    try:
        return [(text(layer.name), [expected(blob) for blob in layer.blobs]) for layer in layers] or None
    except ValueError:
        return None


def lazy_model(path: Path) -> Found:
    try:
        with ModelFile(path) as model:
            layers = sorted(model.layers, key=lambda layer: layer.form == "current")
            return [(layer.name, [blob.read() for blob in layer.blobs if blob]) for layer in layers]
    except WeightsError as error:
        assert str(path) in str(error)
        return None


def same(one: Found, other: Found) -> None:
    assert (one is None) == (other is None)
    for (name, blobs), (other_name, others) in zip(one or [], other or [], strict=True):
        assert name == other_name
        for blob, same_blob in zip(blobs, others, strict=True):
            np.testing.assert_array_equal(blob, same_blob, strict=True)


def compare(path: Path, data: bytes) -> None:
    """Ours beside a full parse: the same layers and values, or both refuse."""
    path.write_bytes(data)
    found = lazy_model(path)
    try:
        same(found, protobuf_model(NetParameter.FromString(data)))
    except OfAFork:
        pass
    except DecodeError:  # perhaps in settings that are parsed only when asked for
        if any(tag(number, BYTES) in data for number in REUSED):
            return  # left out if it does not parse: a fork's
        with pytest.raises(WeightsError, match=re.escape(str(path))), ModelFile(path) as model:
            model.upgraded()


def mutated(data: st.DataObject, source: bytes) -> bytes:
    """The bytes cut, with some changed, put in or left out."""
    damaged = bytearray(source)
    if data.draw(st.booleans()):
        del damaged[data.draw(st.integers(0, len(damaged))) :]
    for _ in range(data.draw(st.integers(0, 4))):
        place = data.draw(st.integers(0, len(damaged)))
        damaged[place : place + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    return bytes(damaged)


@fuzzed
@given(data=st.data())
def test_damaged_models_are_read_as_protobuf_reads_them_or_refused(
    tmp_path: Path, data: st.DataObject
) -> None:
    compare(tmp_path / "m.caffemodel", mutated(data, data.draw(st.sampled_from(MODELS)).read_bytes()))


@fuzzed
@given(layers=st.lists(st.tuples(st.sampled_from([2, 100]), messages), max_size=3), more=messages)
def test_any_message_is_read_as_protobuf_reads_it(
    tmp_path: Path, layers: list[tuple[int, bytes]], more: bytes
) -> None:
    compare(tmp_path / "m", b"".join(field(number, body) for number, body in layers) + more)


@fuzzed
@given(blobs=st.lists(messages, max_size=3), form=st.sampled_from(["current", "V1", "V0"]))
def test_any_blob_is_read_as_protobuf_reads_it(tmp_path: Path, blobs: list[bytes], form: str) -> None:
    number, name = {"current": (7, 1), "V1": (6, 4), "V0": (50, 1)}[form]
    layer = field(name, b"ip") + b"".join(field(number, blob) for blob in blobs)
    layer = field(1, layer) if form == "V0" else layer
    compare(tmp_path / "m", field(100 if form == "current" else 2, layer))


@fuzzed
@given(data=st.data())
def test_damaged_states_are_read_as_protobuf_reads_them_or_refused(
    tmp_path: Path, data: st.DataObject
) -> None:
    path = tmp_path / "s.solverstate"
    path.write_bytes(damaged := mutated(data, data.draw(st.sampled_from(STATES)).read_bytes()))
    try:
        with StateFile(path) as state:
            history = [blob.read() for blob in state.history]
            found = (state.iter, state.learned_net, state.current_step)
    except WeightsError as error:
        assert str(path) in str(error)
        return
    message = SolverState.FromString(damaged)
    assert found == (message.iter, text(message.learned_net), message.current_step)
    same([("", history)], [("", [expected(blob) for blob in message.history])])


@given(st.binary(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_random_bytes_are_refused_or_read(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(data)
    for kind in (ModelFile, StateFile):
        try:
            kind(path).close()
        except WeightsError as error:
            assert str(path) in str(error)


def blob_of(tmp_path: Path, body: bytes) -> np.ndarray:
    (tmp_path / "blob").write_bytes(body)
    return read_blob_file(tmp_path / "blob")


def test_numbers_in_several_pieces_packed_and_single_add_up(tmp_path: Path) -> None:
    body = floats([1, 2]) + single_floats([3, 4, 5]) + floats([]) + varint(20, 7) + floats([6])
    assert blob_of(tmp_path, body + shape(2, 3)).tolist() == [[1, 2, 3], [4, 5, 6]]
    # the shape, too, may come in pieces; of single numbers the last counts
    assert blob_of(tmp_path, shape(2) + body + shape(3)).shape == (2, 3)
    old = varint(1, 9) + varint(2, 1) + varint(3, 1) + varint(4, 1) + varint(1, 6)
    assert blob_of(tmp_path, old + body + shape(1)).shape == (6, 1, 1, 1)


def test_slices_of_values_in_pieces(tmp_path: Path) -> None:
    values = np.arange(40, dtype=np.float32)
    body = floats(values[:7].tolist()) + single_floats(values[7:30].tolist()) + floats(values[30:].tolist())
    path = tmp_path / "m"
    path.write_bytes(field(100, field(1, b"ip") + field(7, body + shape(40))))
    with ModelFile(path) as model:
        (blob,) = model.layers[0].blobs
        assert isinstance(blob, Blob)
        for start in range(0, 41, 3):
            for stop in range(start, 41, 5):
                assert blob.flat(start, stop).tolist() == values[start:stop].tolist()


@pytest.mark.parametrize("dtype", ["f4", "f8", ">f4", "f2", "i4", "u1"])
@pytest.mark.parametrize("chunks", [None, (1, 2, 3)])
def test_slices_of_hdf5(tmp_path: Path, dtype: str, chunks: tuple[int, ...] | None) -> None:
    values = np.arange(60).reshape(3, 4, 5).astype(dtype)
    with h5py.File(tmp_path / "m", "w") as file:
        file.create_dataset("data/ip/0", data=values, chunks=chunks)
        file["data/ip/1"] = values[0, 0, 3]
    with ModelFile(tmp_path / "m") as model:
        blob, scalar = model.blobs()
        np.testing.assert_array_equal(blob.read(), values.astype(np.float32), strict=True)
        assert scalar.read().shape == () and scalar.read() == 3
        for start in range(0, 61, 3):
            for stop in range(start, 61, 4):
                assert blob.flat(start, stop).tolist() == list(range(start, stop))


def test_many_single_values_are_found_at_once(tmp_path: Path) -> None:
    values = np.random.default_rng(0).random(1_000_000, np.float32)
    held = np.zeros((len(values), 5), np.uint8)
    held[:, 0] = tag(5, 5)[0]
    held[:, 1:] = values.view(np.uint8).reshape(-1, 4)
    np.testing.assert_array_equal(blob_of(tmp_path, held.tobytes() + shape(1000, 1000)).ravel(), values)


def test_nvcaffes_half_floats_are_read(tmp_path: Path) -> None:
    values = np.array([[0.5, -2], [65504, np.inf]], np.float16)
    body = varint(10, 2) + field(12, values.tobytes()) + shape(2, 2)
    np.testing.assert_array_equal(blob_of(tmp_path, body), values.astype(np.float32))
    with pytest.raises(WeightsError, match="NVCaffe's type 3"):
        blob_of(tmp_path, varint(10, 3) + field(12, b"12345678") + shape(2))


def test_doubles_beyond_float32_become_infinite_and_diffs_are_left(tmp_path: Path) -> None:
    blob = BlobProto(double_data=[1e300, -0.5], double_diff=[1, 2], shape=BlobShape(dim=[2]))
    assert blob_of(tmp_path, blob.SerializeToString()).tolist() == [np.inf, -0.5]


def test_layers_of_all_ages_with_their_types(tmp_path: Path) -> None:
    ones = array_to_blob(np.ones((2, 3), np.float32))
    net = NetParameter(name="old")
    v0 = net.layers.add().layer
    v0.name, v0.type = "conv1", "conv"
    v0.blobs.append(ones)
    net.layers.add(name="ip1", type="INNER_PRODUCT").blobs.append(ones)  # type: ignore[arg-type]
    net.layers.add(name="none")
    net.layer.add(name="ip2", type="InnerProduct").blobs.append(ones)
    path = tmp_path / "m"
    path.write_bytes(net.SerializeToString())
    with ModelFile(path) as model:
        kinds = [(layer.name, layer.type, layer.form, len(layer.blobs)) for layer in model.layers]
        assert model.net_name == "old"
    assert kinds == [
        ("conv1", "conv", "V0", 1),
        ("ip1", "INNER_PRODUCT", "V1", 1),
        ("none", "", "V1", 0),
        ("ip2", "InnerProduct", "current", 1),
    ]


def refused(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "m.caffemodel"
    path.write_bytes(data)
    with pytest.raises(WeightsError, match=message) as caught:
        ModelFile(path)
    assert str(path) in str(caught.value)


def test_what_is_wrong_is_told_with_layer_and_byte(tmp_path: Path) -> None:
    def layer(blob: bytes) -> bytes:
        return field(100, field(1, b"ip1") + field(7, floats([1])) + field(7, blob))

    refused(
        tmp_path, layer(floats([1, 2]) + shape(3)), r"layer ip1, blob 1: .*\(3,\) holds 2 values \(at byte"
    )
    refused(tmp_path, field(100, field(7, shape(-1) + floats([1]))), "holds 1 values")
    refused(tmp_path, field(100, field(7, shape(2**40, 2**40) + floats([1]))), "holds 1 values")
    refused(tmp_path, field(100, field(7, shape(*[1] * 33) + floats([1]))), "more than 32 axes")
    refused(tmp_path, field(100, field(7, field(5, b"12345"))), "no whole number of values")
    refused(tmp_path, tag(100, 2) + b"\xff\xff\xff\xff\x0f", "over protobuf's limit of 2 GiB")
    refused(tmp_path, tag(100, 2) + b"\xff\xff\xff\xff\x07", "a length that lies: 2147483647 bytes")
    refused(tmp_path, field(100, tag(7, 2) + b"\x05abc"), "at byte 3")
    refused(tmp_path, tag(3, 3) * 200 + tag(3, 4) * 200, "deeper than 100")
    refused(tmp_path, tag(3, 3) * 100_000, "deeper than 100")
    refused(tmp_path, tag(3, 3) + varint(1, 1), "truncated within a group")
    refused(tmp_path, tag(3, 3) + tag(4, 4), "another group")
    refused(tmp_path, tag(3, 4), "never began")
    refused(tmp_path, b"\x08" + b"\xff" * 30, "no end")
    refused(tmp_path, b"\x0f\x00", "no field begins")
    refused(tmp_path, field(100, field(1, b"x" * 100_000)), "a name of 100000 bytes")


def test_millions_of_tiny_fields_take_bounded_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MOST_FIELDS", 1000)
    refused(tmp_path, varint(3, 1) * 2000, "more than 1000 fields")


def test_a_file_that_shrinks_while_it_is_open_is_told(tmp_path: Path) -> None:
    path = tmp_path / "m"
    write_weights(path, net := NetParameter(), {})
    net.layer.add(name="ip")
    write_weights(path, net, {"ip": [np.ones(100_000, np.float32)]})
    with ModelFile(path) as model:
        os.truncate(path, 200_000)
        (blob,) = model.layers[0].blobs
        assert isinstance(blob, Blob)
        assert blob.flat(0, 10).tolist() == [1] * 10
        with pytest.raises(WeightsError, match="truncated while it was read"):
            blob.read()


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(WeightsError, match="no regular file"):
            ModelFile(path)


def test_settings_of_a_fork_are_kept(tmp_path: Path) -> None:
    more = field(999, b"of a fork") + varint(998, 5)
    data = field(1, b"net") + field(100, field(1, b"ip") + field(7, floats([1, 2]) + shape(2)) + more)
    path = tmp_path / "m"
    path.write_bytes(data)
    with ModelFile(path) as model:
        net, notes = model.upgraded()
        write_weights(tmp_path / "again", net, {"ip": [blob.read() for blob in model.blobs()]})
    assert notes == []
    assert (tmp_path / "again").read_bytes() == data


MIB = 1 << 20


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A model of 16 layers, 2 MiB each, and its state."""
    net, blobs = NetParameter(), {}
    for index in range(16):
        net.layer.add(name=f"ip{index}")
        blobs[f"ip{index}"] = [np.full((2, 256 << 10), index, np.float32)]
    write_weights(tmp_path / "m", net, blobs)
    write_state(tmp_path / "s", State(7, "m", [one for (one,) in blobs.values()]))
    return tmp_path


def test_opening_reads_no_values_and_a_blob_only_its_own(
    large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    took = 0
    real_pread, real_preadv = os.pread, os.preadv

    def pread(file: int, size: int, offset: int) -> bytes:
        nonlocal took
        took += size
        return real_pread(file, size, offset)

    def preadv(file: int, buffers: list[memoryview], offset: int) -> int:
        nonlocal took
        took += sum(map(len, buffers))
        return real_preadv(file, buffers, offset)

    monkeypatch.setattr(os, "pread", pread)
    monkeypatch.setattr(os, "preadv", preadv)
    with ModelFile(large / "m") as model:
        assert len(model.layers) == 16 and took < MIB
        before = took
        blob = model.layers[3].blobs[0]
        assert blob is not None and blob.read().max() == 3
        assert took - before == 2 * MIB
        assert blob.flat(10, 20).tolist() == [3] * 10
        assert took - before == 2 * MIB + 40


def test_a_snapshot_is_verified_in_little_memory(large: Path) -> None:
    size = sum((large / name).stat().st_size for name in "ms")
    tracemalloc.start()
    try:
        assert verify_snapshot(large / "m", large / "s") == SnapshotInfo(7, 8 * MIB, size)
        assert tracemalloc.get_traced_memory()[1] < 3 * MIB
    finally:
        tracemalloc.stop()


def test_a_snapshot_is_written_without_a_copy_of_it(large: Path) -> None:
    weights = read_weights(large / "m")
    net = NetParameter(layer=weights.params)
    tracemalloc.start()
    try:
        write_weights(large / "again", net, weights.layers)
        assert tracemalloc.get_traced_memory()[1] < MIB
    finally:
        tracemalloc.stop()
    assert (large / "again").read_bytes() == (large / "m").read_bytes()
