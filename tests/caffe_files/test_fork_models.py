"""Models and states of forks: read where their fields clash with Caffe's, written back with all they held."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from google.protobuf.unknown_fields import UnknownFieldSet

from barista_server.caffe.errors import WeightsError
from barista_server.caffe.schema import NetParameter
from barista_server.caffe.weights import (
    read_state,
    read_weights,
    verify_snapshot,
    write_state,
    write_weights,
)

from .wire_forms import FIXED32, field, floats, shape, tag, varint

VALUES = np.arange(6, dtype=np.float32).reshape(2, 3)
BLOB = field(7, floats(VALUES.ravel().tolist()) + shape(2, 3))
PERMUTE = field(202, varint(1, 0) + varint(1, 2))
PRIOR_BOX = field(203, field(1, b"\0\0\xf0\x41") + varint(4, 1))


def layer(name: bytes, kind: bytes, *more: bytes) -> bytes:
    return field(100, field(1, name) + field(2, kind) + b"".join(more))


def net(*layers: bytes) -> bytes:
    """As NVCaffe writes one: its own fields of the net between name and layers."""
    return field(1, b"n") + varint(34, 2) + field(40, b"default") + b"".join(layers)


def fields(message: NetParameter) -> dict[int, object]:
    return {one.field_number: one.data for one in UnknownFieldSet(message)}  # type: ignore[no-untyped-call]


def test_fields_of_forks_come_back_as_they_were(tmp_path: Path) -> None:
    source = net(
        layer(b"ip", b"InnerProduct", BLOB, varint(300, 7)),
        layer(b"p", b"Permute", PERMUTE),
        layer(b"b", b"PriorBox", PRIOR_BOX, field(117, varint(1, 3) + varint(900, 1))),
    )
    (tmp_path / "a").write_bytes(source)
    weights = read_weights(tmp_path / "a")
    assert list(weights.layers) == ["ip", "p", "b"]
    np.testing.assert_array_equal(weights.layers["ip"][0], VALUES)
    write_weights(tmp_path / "b", weights.net(), weights.layers)
    before, after = (NetParameter.FromString((tmp_path / name).read_bytes()) for name in "ab")
    assert fields(after) == fields(before) == {34: 2, 40: b"default"}
    assert [fields(one) for one in after.layer] == [fields(one) for one in before.layer]  # type: ignore[arg-type]
    assert after == before
    again = read_weights(tmp_path / "b")
    write_weights(tmp_path / "c", again.net(), again.layers)
    assert (tmp_path / "c").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize(
    ("clash", "kept"),
    [
        (varint(145, 2) + varint(147, 1), True),  # NVCaffe: forward_type, forward_math
        (field(148, varint(1, 3)), True),  # FlowNet 2: no min and max, which clip_param must have
        (field(143, varint(1, 33) + varint(2, 33)), True),  # PSPNet: interp_param for input_param
        (field(145, field(1, b"out/") + field(2, b"list")), False),  # PSPNet: mat_write_param
    ],
)  # fmt: skip
def test_fields_of_forks_under_numbers_of_caffe(clash: bytes, kept: bool, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(net(layer(b"x", b"Interp", clash), layer(b"ip", b"InnerProduct", BLOB)))
    weights = read_weights(tmp_path / "a")
    assert list(weights.layers) == ["x", "ip"] and weights.params[0].type == "Interp"
    write_weights(tmp_path / "b", weights.net(), weights.layers)
    copy = NetParameter.FromString((tmp_path / "b").read_bytes())
    assert (clash in copy.layer[0].SerializePartialToString()) is kept
    np.testing.assert_array_equal(read_weights(tmp_path / "b").layers["ip"][0], VALUES)


def test_a_snapshot_of_a_fork_is_verified(tmp_path: Path) -> None:
    """Also one with a field that BVLC caffe could not parse: pausing a fork depends on it."""
    broken = field(145, field(1, b"\xff\xff\xff"))
    (tmp_path / "m").write_bytes(net(layer(b"ip", b"InnerProduct", BLOB), layer(b"w", b"MatWrite", broken)))
    history = field(3, BLOB[2:])
    (tmp_path / "s").write_bytes(
        varint(1, 40) + history + varint(4, 2) + field(5, b"\0\0\x80?") + varint(6, 30)
    )
    info = verify_snapshot(tmp_path / "m", tmp_path / "s")
    assert (info.iteration, info.parameters) == (40, 6)


def test_other_settings_that_do_not_parse_are_damage(tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(net(layer(b"ip", b"InnerProduct", BLOB, field(117, b"\xff"))))
    with pytest.raises(WeightsError, match="truncated or not a Caffe file"):
        read_weights(tmp_path / "m")


def test_states_of_forks_keep_their_fields(tmp_path: Path) -> None:
    """SSD: minimum_loss and iter_last_event, without which a plateau policy starts anew."""
    rest = tag(5, FIXED32) + b"\0\0\x80?" + varint(6, 30)
    (tmp_path / "s").write_bytes(varint(1, 40) + rest + field(3, BLOB[2:]) + varint(4, 2))
    state = read_state(tmp_path / "s")
    assert (state.iter, state.current_step, state.rest) == (40, 2, rest)
    write_state(tmp_path / "t", state)
    assert (tmp_path / "t").read_bytes().endswith(rest)
    again = read_state(tmp_path / "t")
    assert again.rest == rest
    np.testing.assert_array_equal(again.history[0], VALUES)


def test_old_layers_of_forks_are_brought_up_to_date(tmp_path: Path) -> None:
    """What a fork has in V1 layers has no place in current ones; name, blobs and the rest stay."""
    old = field(2, field(4, b"ip") + varint(5, 14) + field(6, BLOB[2:]) + varint(777, 1) + varint(5, 99))
    (tmp_path / "m").write_bytes(field(1, b"n") + old)
    weights = read_weights(tmp_path / "m")
    assert (weights.params[0].name, weights.params[0].type) == ("ip", "InnerProduct")
    np.testing.assert_array_equal(weights.layers["ip"][0], VALUES)
