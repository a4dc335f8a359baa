"""Nets and solvers compared as Caffe understands them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import barista_server.templates as templates
from barista_server.caffe import prototxt
from barista_server.caffe.diff import Diff, LayerDiff, Pair, diff
from barista_server.caffe.edit import set_field
from barista_server.caffe.errors import NetError
from barista_server.caffe.fieldwise import Change
from barista_server.caffe.prototxt import PrototxtError
from barista_server.caffe.schema import NetParameter, SolverParameter

from . import zoo

LENET = Path(templates.__file__).parent / "lenet-digits"
SOLVER = (LENET / "solver.prototxt").read_text()
NET = (LENET / "net.prototxt").read_text()
NETS = {"lenet": NET, "googlenet": zoo.googlenet(), "captioner": zoo.captioner()}


def nets(old: str, new: str) -> Diff:
    return diff(Pair("", old), Pair("", new))


def layers(old: str, new: str) -> list[LayerDiff]:
    found = nets(old, new)
    assert not found.solver and not found.nets[0].fields
    return found.nets[0].layers


def solvers(old: str, new: str) -> list[Change]:
    found = diff(Pair(old, ""), Pair(new, ""))
    assert all(net.same for net in found.nets)
    return found.solver


# ------------------------------------------------------------------------------------------- the same


@pytest.mark.parametrize("net", NETS.values(), ids=list(NETS))
def test_comments_layout_and_order_of_fields_are_nothing(net: str) -> None:
    tidy = prototxt.to_text(prototxt.parse(net, NetParameter))
    # Fields of a block the other way round, another way to write blocks.
    turned = re.sub(r'( *name: "[^"]*"\n)( *type: "[^"]*"\n)', r"\2\1", tidy).replace(" {", ": <\n # x\n")
    assert nets(net, tidy).same and nets(tidy, net.replace("\n", "\n# a comment\n")).same
    assert nets(net, turned.replace("}", ">")).same
    assert diff(Pair(SOLVER, net), Pair(SOLVER, net)).same


SAME = [
    ("convolution_param { num_output: 2 kernel_size: 3 }",
     "param { lr_mult: 1 } convolution_param { num_output: 2 kernel_h: 3 kernel_w: 3 stride: 1 pad: 0 "
     ' group: 1 bias_term: true weight_filler { type: "constant" } axis: 1 dilation: 1 dilation: 1 }'),
    ("convolution_param { kernel_size: 3 kernel_size: 3 stride: 2 }",
     "convolution_param { kernel_size: 3 stride_h: 2 stride_w: 2 }"),
    ("pooling_param { kernel_size: 2 }",
     "pooling_param { pool: MAX kernel_w: 2 kernel_h: 2 pad_h: 0 pad_w: 0 }"),
    ("include { phase: TRAIN } include { stage: 'x' }", "include { stage: 'x' } include { phase: TRAIN }"),
    ("", "loss_weight: 0 dropout_param { dropout_ratio: 0.5 } param { }"),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), SAME)
def test_what_caffe_takes_for_the_same_is_the_same(one: str, other: str) -> None:
    texts = [f'layer {{ name: "a" type: "Convolution" {fields} }}' for fields in (one, other)]
    assert layers(*texts) == [] and layers(*texts[::-1]) == []


def test_a_loss_counts_once_unless_told() -> None:
    texts = [f'layer {{ name: "l" type: "SoftmaxWithLoss" {weight} }}' for weight in ("", "loss_weight: 1")]
    assert layers(*texts) == []
    half = texts[0].replace(" }", "loss_weight: 0.5 }")
    assert layers(texts[1], half)[0].fields == [Change("loss_weight", None, "0.5")]


def test_solvers_are_compared_with_what_caffe_has_for_fields_left_out() -> None:
    assert solvers("", 'type: "SGD" random_seed: -1 momentum: 0 stepsize: 0 iter_size: 1') == []
    assert solvers("solver_type: ADAM", 'type: "Adam"') == []
    assert solvers("base_lr: 0.1", "base_lr: 1e-1  # the same") == []
    assert solvers("solver_mode: CPU base_lr: 0.1 stepvalue: 1", "base_lr: 0.001 stepvalue: [1, 2]") == [
        Change("base_lr", "0.1", "0.001"),
        Change("solver_mode", "CPU", None, new_default="GPU"),
        Change("stepvalue", "1", "1, 2"),
    ]


def test_old_forms_are_compared_by_what_they_become() -> None:
    more = "convolution_param { num_output: 3 } }"
    old = f'layers {{ name: "c" type: CONVOLUTION blobs_lr: 1 blobs_lr: 2 {more}'
    new = f'layer {{ name: "c" type: "Convolution" param {{}} param {{ lr_mult: 2 }} {more}'
    found = nets(old, new)
    assert found.same and "V1LayerParameter" in found.nets[0].notes[0]
    assert found.nets[0].notes[0].startswith("old: ")


# ------------------------------------------------------------------------------------------- not the same


@given(st.data())
@settings(max_examples=20, deadline=None)
def test_an_edit_is_told_by_its_field_alone(data: st.DataObject) -> None:
    """Any scalar of any layer of a net, set to another value."""
    text = data.draw(st.sampled_from([NET, zoo.captioner()]))
    net = prototxt.parse(text, NetParameter)
    number = data.draw(st.integers(0, len(net.layer) - 1))
    path, value = data.draw(
        st.sampled_from(
            [
                ("relu_param.negative_slope", 0.25),
                ("convolution_param.num_output", 7777),
                ("inner_product_param.weight_filler.std", 0.125),
                ("dropout_param.dropout_ratio", 0.75),
                ("transform_param.mirror", True),
                ("bottom[0]" if net.layer[number].bottom else "bottom", "elsewhere"),
            ]
        )
    )
    found = layers(text, set_field(text, NetParameter, f"layer[{number}].{path}", value))
    assert [(one.kind, one.name, one.moved) for one in found] == [("changed", net.layer[number].name, False)]
    (change,) = found[0].fields
    assert change.field == path.partition("[")[0] and change.new is not None and change.old != change.new
    assert str(value).lower() in change.new


@given(st.sampled_from(["base_lr", "momentum", "max_iter", "display", "weight_decay"]), st.integers(2, 10**6))
@settings(max_examples=20, deadline=None)
def test_an_edit_of_a_solver_is_told_by_its_field_alone(name: str, value: int) -> None:
    (change,) = solvers(SOLVER, set_field(SOLVER, SolverParameter, name, value + 1_000_003))
    assert (
        change.field == name
        and change.new is not None
        and float(change.new) == pytest.approx(value + 1_000_003)
    )


@given(st.permutations(range(7)))
@settings(max_examples=25, deadline=None)
def test_the_fewest_layers_are_told_to_have_moved(order: list[int]) -> None:
    texts = [f'layer {{ name: "{number}" type: "ReLU" }}' for number in range(7)]
    found = layers("\n".join(texts), "\n".join(texts[number] for number in order))
    moved = {one.name for one in found}
    assert all(one.kind == "moved" and one.moved and not one.fields for one in found)
    stays = [number for number in order if str(number) not in moved]
    assert stays == sorted(stays)
    longest = max(
        (row for row in range(1 << 7) if (kept := [n for n in order if row >> n & 1]) == sorted(kept)),
        key=lambda row: row.bit_count(),
    )
    assert len(stays) == longest.bit_count()


def test_a_name_in_both_phases_is_two_layers() -> None:
    rule = "include {{ phase: {phase} }} data_param {{ batch_size: {size} }} }}\n"
    data = 'layer {{ name: "data" type: "Data" ' + rule
    train, test = data.format(phase="TRAIN", size=64), data.format(phase="TEST", size=100)
    assert layers(train + test, test + train)[0].moved
    (one,) = layers(train + test, train + test.replace("100", "50"))
    assert (one.name, one.phase, one.fields) == (
        "data",
        "TEST",
        [Change("data_param.batch_size", "100", "50")],
    )
    (one,) = layers(train + test, train)
    assert (one.kind, one.phase, one.old_place, one.new_place) == ("removed", "TEST", 2, None)
    # Another rule is a change, not another layer; no rule is not a default one.
    (one,) = layers(train, train.replace("phase: TRAIN", "min_level: 1"))
    assert [(each.field, each.old, each.new) for each in one.fields] == [
        ("include.phase", "TRAIN", None), ("include.min_level", None, "1")
    ]  # fmt: skip
    (one,) = layers(train.replace("include { phase: TRAIN }", ""), train)
    assert one.fields == [Change("include.phase", None, "TRAIN")]


def test_a_renamed_layer_is_known_and_what_was_called_after_it() -> None:
    new = NET.replace('"conv1"', '"first"')
    found = layers(NET, new)
    assert found[0].kind == "renamed" and (found[0].name, found[0].new_name) == ("conv1", "first")
    assert found[0].fields == [Change("top", '"conv1"', '"first"')]
    assert {(one.kind, change.field) for one in found[1:] for change in one.fields} == {("changed", "bottom")}
    # All of them at once, as under a prefix.
    names = prototxt.parse(NET, NetParameter)
    everything = NET
    for name in {layer.name for layer in names.layer} | {top for layer in names.layer for top in layer.top}:
        everything = everything.replace(f'"{name}"', f'"a/{name}"')
    assert {one.kind for one in layers(NET, everything)} == {"renamed"}
    # Renamed and changed is another one.
    other = layers(NET, new.replace("num_output: 20", "num_output: 21"))
    assert [one.kind for one in other if one.name in ("conv1", "first")] == ["removed", "added"]


def test_added_and_removed_layers_stand_where_they_are_with_what_is_set() -> None:
    first, second = 'layer { name: "a" type: "ReLU" }\n', 'layer { name: "b" type: "TanH" bottom: "a" }\n'
    third = 'layer { name: "c" type: "Dropout" dropout_param { dropout_ratio: 0.1 } }\n'
    found = layers(first + second, first + third)
    assert [(one.kind, one.name, one.type, one.old_place, one.new_place) for one in found] == [
        ("removed", "b", "TanH", 2, None),
        ("added", "c", "Dropout", None, 2),
    ]
    fields = {one.name: one.fields for one in found}
    assert fields == {
        "b": [Change("bottom", '"a"', None)],
        "c": [Change("dropout_param.dropout_ratio", None, "0.1")],
    }


def test_what_only_forks_know_is_compared_as_text() -> None:
    old = (
        'layer { name: "x" type: "Resample" resample_param { width: 3 type: LINEAR } } \n layer { name: "y" }'
    )
    assert layers(old, old.replace("width: 3", "width:3  # wide\n")) == []
    (one,) = layers(old, old.replace("width: 3", "width: 4"))
    assert (one.name, [change.field for change in one.fields]) == ("x", ["resample_param"])
    assert solvers("snap_to: 'a'", "") == [Change("snap_to", "'a'", None)]


def test_nets_within_solvers_are_compared_too() -> None:
    inline = 'train_net_param { layer { name: "a" type: "ReLU" } }'
    found = diff(Pair(inline, ""), Pair(inline.replace("ReLU", "TanH"), ""))
    assert [(net.title, [one.fields for one in net.layers]) for net in found.nets] == [
        ("net.prototxt", []),
        ("train_net_param", [[Change("type", '"ReLU"', '"TanH"')]]),
    ]


def test_of_the_whole_net_too() -> None:
    found = nets('name: "a"', 'name: "b" force_backward: true')
    assert found.nets[0].fields == [
        Change("name", '"a"', '"b"'),
        Change("force_backward", None, "true", old_default="false"),
    ]


def test_texts_that_are_no_nets_say_where() -> None:
    with pytest.raises(PrototxtError, match=r"B: net\.prototxt:1"):
        diff(Pair("", ""), Pair("", "layer {", ("B: solver.prototxt", "B: net.prototxt")))
    with pytest.raises(NetError):
        nets("", 'input: "a" input_dim: 1')
