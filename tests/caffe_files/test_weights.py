"""Weights and solver states: the bytes of a real Caffe, both ways; damage is told, not read as nonsense."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from barista_server.caffe.model_file import read_blob_file
from barista_server.caffe.net import filter_net, insert_splits, load_net
from barista_server.caffe.schema import (
    TRAIN,
    BlobProto,
    BlobShape,
    LayerParameter,
    NetParameter,
    NetState,
    SolverState,
)
from barista_server.caffe.weights import (
    SnapshotInfo,
    State,
    WeightsError,
    array_to_blob,
    read_state,
    read_weights,
    verify_snapshot,
    write_state,
    write_weights,
)

GOLDEN = Path(__file__).parent.parent / "fixtures/golden/solvers"
MODELS = sorted(GOLDEN.glob("*.caffemodel"))
STATES = sorted(GOLDEN.glob("*.solverstate"))
H5_MODEL = GOLDEN / "sgd_hdf5snap_iter_10.caffemodel.h5"
H5_STATE = GOLDEN / "sgd_hdf5snap_iter_10.solverstate.h5"


def names_of(file: h5py.File) -> dict[str, object]:
    """Every object of the file with its form: what a reader sees."""
    found: dict[str, object] = {}
    file.visititems(
        lambda name, item: found.update(
            {name: (item.shape, item.dtype) if hasattr(item, "shape") else "group"}
        )
    )
    return found


def test_there_is_golden_data() -> None:
    assert len(MODELS) > 20 and len(STATES) > 10


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.name)
def test_rewritten_weights_are_the_same_bytes(path: Path, tmp_path: Path) -> None:
    weights = read_weights(path)
    assert [blob.shape for blob in weights.layers["ip2"]] == [(10, 24), (10,)]
    assert weights.layers["data"] == [] and weights.net_name == "tiny"
    net = NetParameter(name=weights.net_name, layer=weights.params)
    write_weights(tmp_path / "copy", net, weights.layers)
    assert (tmp_path / "copy").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("path", STATES, ids=lambda path: path.name)
def test_rewritten_states_are_the_same_bytes(path: Path, tmp_path: Path) -> None:
    state = read_state(path)
    assert state.iter == 10 and state.learned_net == path.with_suffix(".caffemodel").name
    write_state(tmp_path / "copy", state)
    assert (tmp_path / "copy").read_bytes() == path.read_bytes()


def test_a_net_built_from_its_text_is_saved_as_caffe_saves_it(tmp_path: Path) -> None:
    """Filtering, splits and what building a net adds, phases and the loss weight, give Caffe's bytes."""
    net = load_net(GOLDEN / "net.prototxt")
    built = insert_splits(filter_net(net, NetState(phase=TRAIN))[0])
    for layer in built.layer:
        layer.phase = TRAIN
    built.layer[-1].loss_weight.append(1)
    golden = GOLDEN / "init.caffemodel"
    write_weights(tmp_path / "ours", built, read_weights(golden).layers)
    assert (tmp_path / "ours").read_bytes() == golden.read_bytes()


def test_hdf5_weights_and_state_are_read_and_written_in_caffes_form(tmp_path: Path) -> None:
    weights, state = read_weights(H5_MODEL), read_state(H5_STATE)
    assert (state.iter, state.current_step, state.learned_net) == (10, 1, H5_MODEL.name)
    net = NetParameter(name="tiny", layer=[LayerParameter(name=name) for name in weights.layers])
    write_weights(tmp_path / "w.h5", net, weights.layers, "hdf5")
    write_state(tmp_path / "s.h5", state, "hdf5")
    for ours, golden in ((tmp_path / "w.h5", H5_MODEL), (tmp_path / "s.h5", H5_STATE)):
        with h5py.File(ours) as a, h5py.File(golden) as b:
            assert names_of(a) == names_of(b)
    again = read_weights(tmp_path / "w.h5")
    for name, blobs in weights.layers.items():
        for one, other in zip(blobs, again.layers[name], strict=True):
            np.testing.assert_array_equal(one, other)
    with h5py.File(tmp_path / "s.h5") as file:
        kind = file["learned_net"].id.get_type()
        assert (kind.get_size(), kind.get_strpad()) == (len(H5_MODEL.name) + 1, h5py.h5t.STR_NULLTERM)


def test_a_slash_in_a_layer_name_cannot_be_hdf5(tmp_path: Path) -> None:
    net = NetParameter(name="n", layer=[LayerParameter(name="a/b")])
    with pytest.raises(WeightsError, match="a/b"):
        write_weights(tmp_path / "w.h5", net, {}, "hdf5")
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "w.h5"
    target.write_bytes(b"old")
    with pytest.raises(WeightsError):
        write_weights(target, NetParameter(layer=[LayerParameter(name="a/b")]), {}, "hdf5")
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("path", [*STATES, H5_STATE], ids=lambda path: path.name)
def test_golden_snapshots_verify(path: Path) -> None:
    model = path.with_name(path.name.replace("solverstate", "caffemodel"))
    size = model.stat().st_size + path.stat().st_size
    assert verify_snapshot(model, path) == SnapshotInfo(iteration=10, parameters=1630, bytes=size)


def test_files_of_different_nets_do_not_verify(tmp_path: Path) -> None:
    state = read_state(STATES[0])
    write_state(tmp_path / "few", State(10, "x", state.history[:-2]))
    with pytest.raises(WeightsError, match="do not fit"):
        verify_snapshot(MODELS[0], tmp_path / "few")
    write_state(tmp_path / "other", State(10, "x", [np.zeros((3, 3), np.float32)] * 6))
    with pytest.raises(WeightsError, match="fits no parameter"):
        verify_snapshot(MODELS[0], tmp_path / "other")


def blob_to_array(blob: BlobProto, folder: Path) -> np.ndarray:
    (folder / "blob").write_bytes(blob.SerializeToString())
    return read_blob_file(folder / "blob")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    array=st_numpy.arrays(np.float32, st_numpy.array_shapes(min_dims=0, max_dims=5, max_side=4, min_side=0))
)
def test_blobs_hold_any_array(array: np.ndarray, tmp_path: Path) -> None:
    blob = array_to_blob(array)
    expected = BlobProto(data=array.ravel().tolist())
    if array.ndim:
        expected.shape.CopyFrom(BlobShape(dim=array.shape))
    assert blob.SerializeToString() == expected.SerializeToString()
    np.testing.assert_array_equal(blob_to_array(blob, tmp_path), array)


def test_old_four_axis_blobs_and_doubles_are_read(tmp_path: Path) -> None:
    blob = BlobProto(num=1, channels=1, height=2, width=3, data=range(6), shape=BlobShape(dim=[6]))
    assert blob_to_array(blob, tmp_path).shape == (1, 1, 2, 3)
    blob = BlobProto(double_data=[0.5, 1.5], shape=BlobShape(dim=[2]))
    array = blob_to_array(blob, tmp_path)
    assert array.dtype == np.float32 and array.tolist() == [0.5, 1.5]


@pytest.mark.parametrize("dims", [[7], [2, 2], [-2, -3], [2**62, 2**62], []])
def test_a_blob_whose_shape_lies_is_refused(dims: list[int], tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"blob: .* holds 6 values"):
        blob_to_array(BlobProto(data=range(6), shape=BlobShape(dim=dims)), tmp_path)


def test_old_layers_give_their_weights(tmp_path: Path) -> None:
    net = NetParameter(name="old")
    layer = net.layers.add(name="conv1")
    layer.blobs.append(array_to_blob(np.ones((2, 3), np.float32)))
    (tmp_path / "old").write_bytes(net.SerializeToString())
    assert read_weights(tmp_path / "old").layers["conv1"][0].shape == (2, 3)


@pytest.mark.parametrize(
    "data", [b"", b"name: 'prototxt'", b"\x00" * 99, SolverState(iter=3).SerializeToString()]
)
def test_other_files_are_no_weights(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.caffemodel"
    path.write_bytes(data)
    with pytest.raises(WeightsError, match=r"x\.caffemodel"):
        read_weights(path)


def test_missing_files_are_os_errors(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_weights(tmp_path / "none")
    with pytest.raises(FileNotFoundError):
        read_state(tmp_path / "none")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_files_give_our_error_or_still_parse(tmp_path: Path, data: st.DataObject) -> None:
    source = data.draw(st.sampled_from([MODELS[0], STATES[0], H5_MODEL, H5_STATE]))
    damaged = bytearray(source.read_bytes())
    del damaged[data.draw(st.integers(0, len(damaged))) :]
    for place in data.draw(st.lists(st.integers(0, max(0, len(damaged) - 1)), max_size=4)):
        damaged[place : place + 1] = bytes([data.draw(st.integers(0, 255))])
    path = tmp_path / "damaged"
    path.write_bytes(damaged)
    read = read_weights if "caffemodel" in source.name else read_state
    try:
        read(path)
    except WeightsError as error:
        assert str(path) in str(error)


def test_every_truncation_of_a_pair_is_noticed(tmp_path: Path) -> None:
    """A cut at the end of a layer still parses: then the solver state tells."""
    model, state = GOLDEN / "sgd_inv_iter_10.caffemodel", GOLDEN / "sgd_inv_iter_10.solverstate"
    data = model.read_bytes()
    cut = tmp_path / "cut"
    last_layer = NetParameter.FromString(data).layer[-1].ByteSize()
    for end in [*range(0, len(data) - last_layer - 3, 97), len(data) - last_layer - 4]:
        cut.write_bytes(data[:end])
        with pytest.raises(WeightsError):
            verify_snapshot(cut, state)
