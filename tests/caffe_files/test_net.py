"""Nets: old forms, rules of phase, level and stage, and Split layers under Caffe's names."""

import re
from pathlib import Path

import pytest

from barista_server.caffe import prototxt
from barista_server.caffe.net import (
    NetError,
    filter_net,
    insert_splits,
    load_net,
    net_state,
    state_meets_rule,
    upgrade_net,
)
from barista_server.caffe.schema import TEST, TRAIN, NetParameter, NetState, NetStateRule

FIXTURES = Path(__file__).parent.parent / "fixtures"
LOGS = sorted([*FIXTURES.glob("golden/solvers/*.log"), *FIXTURES.glob("logs/bvlc1.0-*.log")])


def net_of(text: str) -> NetParameter:
    return prototxt.parse(text, NetParameter)


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("", None),
        ("phase: TEST", None),
        ("phase: TRAIN", "The NetState phase (1) differed from the phase (0) specified by a rule in layer L"),
        ("min_level: 2 max_level: 2", None),
        ("min_level: 3", "The NetState level (2) is above the min_level (3) specified by a rule in layer L"),
        ("max_level: 1", "The NetState level (2) is above the max_level (1) specified by a rule in layer L"),
        ("stage: 'a' stage: 'b'", None),
        ("stage: 'a' stage: 'c'", "The NetState did not contain stage 'c' specified by a rule in layer L"),
        ("not_stage: 'c'", None),
        ("not_stage: 'b'", "The NetState contained a not_stage 'b' specified by a rule in layer L"),
        (
            "phase: TRAIN min_level: 9",
            "The NetState phase (1) differed from the phase (0) specified by a rule in layer L",
        ),
        ("phase: TEST min_level: 1 stage: 'b' not_stage: 'x'", None),
    ],
)
def test_every_part_of_a_rule_must_hold(rule: str, reason: str | None) -> None:
    state = NetState(phase=TEST, level=2, stage=["a", "b"])
    assert state_meets_rule(state, prototxt.parse(rule, NetStateRule), "L") == reason


@pytest.mark.parametrize(
    ("rules", "is_in", "messages"),
    [
        ("", True, 0),
        ("include { phase: TRAIN }", True, 0),
        ("include { phase: TEST }", False, 1),
        ("include { phase: TEST } include { stage: 'a' }", True, 1),
        ("include { phase: TEST } include { stage: 'b' }", False, 2),
        ("exclude { phase: TEST }", True, 1),
        ("exclude { phase: TRAIN }", False, 0),
        ("exclude { stage: 'b' } exclude { stage: 'a' } exclude { stage: 'c' }", False, 1),
    ],
)
def test_any_include_rule_lets_in_and_any_exclude_rule_keeps_out(
    rules: str, is_in: bool, messages: int
) -> None:
    net = net_of(f"name: 'n' layer {{ name: 'L' {rules} }} layer {{ name: 'M' }}")
    filtered, notes = filter_net(net, NetState(phase=TRAIN, stage=["a"]))
    assert [layer.name for layer in filtered.layer] == (["L", "M"] if is_in else ["M"])
    assert len(notes) == messages
    assert filtered.name == "n" and list(filtered.state.stage) == ["a"]
    assert len(net.layer) == 2


def test_both_kinds_of_rules_on_one_layer_are_refused() -> None:
    net = net_of("layer { name: 'L' include { phase: TRAIN } exclude { phase: TEST } }")
    with pytest.raises(NetError, match="Specify either include rules or exclude rules; not both") as caught:
        filter_net(net, NetState())
    assert caught.value.layer == "L"


def test_states_merge_in_order_and_stages_append() -> None:
    file_state = NetState(level=1, stage=["file"])
    solver_state = NetState(phase=TEST, stage=["solver"])
    state = net_state(TRAIN, file_state, solver_state, level=3, stages=["a", "b"])
    assert state == NetState(phase=TEST, level=3, stage=["file", "solver", "a", "b"])
    assert net_state(TRAIN, file_state).level == 1


@pytest.mark.parametrize("log", LOGS, ids=lambda path: path.stem)
def test_splits_are_those_of_real_logs(log: Path) -> None:
    """Layers, bottoms and tops, in the order in which Caffe created them after each dump of a net."""
    pieces = log.read_text(errors="replace").split("Initializing net from parameters: \n")[1:]
    for piece in pieces:
        dump = re.split(r"^[IWEF]\d{4}", piece, maxsplit=1, flags=re.MULTILINE)[0]
        wiring = re.findall(r"net\.cpp:\d+\] (?:Creating Layer (\S+)|(\S+) (<-|->) (\S+))", piece)
        try:
            net = insert_splits(net_of(dump))
        except NetError as error:
            assert str(error) in piece
            continue
        expected = [(name, *found) for name, *found in wiring]
        ours = []
        for layer in net.layer:
            ours.append((layer.name, "", "", ""))
            ours += [("", layer.name, "<-", blob) for blob in layer.bottom]
            ours += [("", layer.name, "->", blob) for blob in layer.top]
        assert ours[: len(expected)] == expected
        assert expected or "mdb_status" in piece  # a run that ended at its first layer


@pytest.mark.parametrize(
    "log", [path for path in LOGS if path.parent.name == "solvers"], ids=lambda path: path.stem
)
def test_the_filtered_net_is_that_of_real_logs(log: Path) -> None:
    """Messages about rules and the dump of the net, from the net file and the two states of `caffe train`."""
    text = log.read_text()
    net = load_net(FIXTURES / "golden/solvers/net.prototxt")
    tool = NetState(level=0, stage=[""])
    for phase, states in ((TRAIN, [tool]), (TEST, [])):
        filtered, messages = filter_net(net, net_state(phase, net.state, *states))
        assert messages and all(f"] {message}\n" in text for message in messages)
        assert f"Initializing net from parameters: \n{prototxt.to_text(filtered)}" in text


def test_an_in_place_layer_makes_a_new_version_of_its_blob() -> None:
    net = insert_splits(
        net_of(
            """layer { name: 'd' top: 'x' }
            layer { name: 'a' bottom: 'x' top: 'a' }
            layer { name: 'r' bottom: 'a' top: 'a' }
            layer { name: 'b' bottom: 'a' top: 'b' }
            layer { name: 'c' bottom: 'a' top: 'c' }"""
        )
    )
    assert [layer.name for layer in net.layer] == ["d", "a", "r", "a_r_0_split", "b", "c"]
    assert list(net.layer[2].bottom) == ["a"]
    assert [net.layer[4].bottom[0], net.layer[5].bottom[0]] == ["a_r_0_split_0", "a_r_0_split_1"]


def test_a_loss_weight_is_a_use_and_moves_to_the_split() -> None:
    net = insert_splits(
        net_of(
            """layer { name: 'd' top: 'x' top: 'y' loss_weight: 0 loss_weight: 0.5 }
            layer { name: 'a' bottom: 'x' }
            layer { name: 'b' bottom: 'y' }"""
        )
    )
    d, split, _, b = net.layer
    assert not d.loss_weight
    assert (split.name, list(split.top)) == ("y_d_1_split", ["y_d_1_split_0", "y_d_1_split_1"])
    assert list(split.loss_weight) == [0.5, 0]
    assert list(b.bottom) == ["y_d_1_split_1"]


def test_an_unknown_bottom_is_told_as_caffe_does() -> None:
    with pytest.raises(NetError, match=r"^Unknown bottom blob 'y' \(layer 'b', bottom index 1\)$"):
        insert_splits(net_of("layer { name: 'a' top: 'x' } layer { name: 'b' bottom: 'x' bottom: 'y' }"))


def test_input_fields_become_a_first_layer() -> None:
    net = net_of(
        """input: 'a' input_dim: 1 input_dim: 3 input_dim: 4 input_dim: 5
        input: 'b' input_dim: 2 input_dim: 1 input_dim: 1 input_dim: 1 layer { name: 'L' bottom: 'a' }"""
    )
    assert "Successfully upgraded file specified using deprecated input fields." in upgrade_net(net)
    first = net.layer[0]
    assert (first.name, first.type, list(first.top)) == ("input", "Input", ["a", "b"])
    assert [list(shape.dim) for shape in first.input_param.shape] == [[1, 3, 4, 5], [2, 1, 1, 1]]
    assert not net.input and not net.input_dim and net.layer[1].name == "L"

    net = net_of("input: 'a' input_shape { dim: 7 } layer { name: 'L' }")
    upgrade_net(net)
    assert list(net.layer[0].input_param.shape[0].dim) == [7]
    assert upgrade_net(net) == []


@pytest.mark.parametrize("text", ["input: 'a' input_dim: 1", "input: 'a' input: 'b' input_shape { dim: 1 }"])
def test_inputs_without_full_shape_are_refused(text: str) -> None:
    with pytest.raises(NetError, match="has no input_"):
        upgrade_net(net_of(text))


def test_three_params_of_an_old_batch_norm_are_frozen() -> None:
    net = net_of("layer { name: 'bn' type: 'BatchNorm' param { lr_mult: 1 } param { } param { } }")
    assert upgrade_net(net, "f") == [
        "Attempting to upgrade batch norm layers using deprecated params: f",
        "Successfully upgraded batch norm layers using deprecated params.",
    ]
    assert [(spec.lr_mult, spec.decay_mult) for spec in net.layer[0].param] == [(0, 0)] * 3
