"""Layers put in, doubled and taken out: who reads what follows, and every other byte stays."""

import pytest

from barista_server.caffe.layer_edits import add_layer, copy_layer, remove_layer
from barista_server.caffe.layer_types import LAYER_TYPES
from barista_server.caffe.nodes import EditError
from barista_server.caffe.prototxt import parse
from barista_server.caffe.schema import NetParameter

NET = """name: "n"  # ours
layer { name: "d" type: "Data" top: "data" top: "label" include { phase: TRAIN } }
layer { name: "d" type: "Data" top: "data" top: "label" include { phase: TEST } }

# the first
layer {
  name: "conv1"  # kept
  type: "Convolution"
  bottom: "data" top: "conv1"
  fork_param { a: 1 }
}  # end of it
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "ip1" type: "InnerProduct" bottom: ["conv1"] top: "ip1" }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip1" bottom: "label" }"""


def reads(text: str) -> list[tuple[str, str, str]]:
    """Name, bottoms and tops of all layers."""
    known = parse(text.replace("fork_param { a: 1 }", ""), NetParameter).layer
    return [(one.name, " ".join(one.bottom), " ".join(one.top)) for one in known]


D = ("d", "", "data label")
RELU, IP, LOSS = ("relu1", "conv1", "conv1"), ("ip1", "conv1", "ip1"), ("loss", "ip1 label", "")
CONV = ("conv1", "data", "conv1")


@pytest.mark.parametrize(
    ("behind", "kind", "expected"),
    [
        # Behind both data layers, and read in place of what they make.
        (0, "LRN", [D, D, ("norm1", "data", "norm1"), ("conv1", "norm1", "conv1"), RELU, IP, LOSS]),
        # Who writes in place of it comes along.
        (
            2,
            "Pooling",
            [
                D,
                D,
                CONV,
                ("pool1", "conv1", "pool1"),
                ("relu1", "pool1", "pool1"),
                ("ip1", "pool1", "ip1"),
                LOSS,
            ],
        ),
        (4, "Dropout", [D, D, CONV, RELU, IP, ("drop1", "ip1", "ip1"), LOSS]),
        (5, "Accuracy", [D, D, CONV, RELU, IP, LOSS, ("accuracy", "ip1 label", "accuracy")]),
        (-1, "Input", [("input", "", "input"), D, D, CONV, RELU, IP, LOSS]),
    ],
)
def test_a_layer_is_put_in_with_its_readers(
    behind: int, kind: str, expected: list[tuple[str, str, str]]
) -> None:
    done = add_layer(NET, behind, kind)
    assert reads(done.text) == expected
    assert expected[done.number] not in reads(NET)
    kept = [line for line in NET.splitlines() if "bottom" not in line and line not in done.text]
    assert kept == [], "comments, forks' fields and all lines that name no blob"


def test_weights_of_a_new_layer_are_not_zero_and_names_are_not_taken_twice() -> None:
    done = add_layer(NET, 2, "InnerProduct")
    new = parse(done.text.replace("fork_param { a: 1 }", ""), NetParameter).layer[done.number]
    assert new.name == "ip2" and new.inner_product_param.weight_filler.type == "xavier"
    assert add_layer(NET, 2, "InnerProduct", "mine").what == "added mine (InnerProduct), reads conv1"
    with pytest.raises(EditError, match="there is a layer ip1 already"):
        add_layer(NET, 2, "ReLU", "ip1")


def test_a_layer_is_doubled_with_all_that_is_written_in_it() -> None:
    done = copy_layer(NET, 2)
    assert done.number == 3 and done.text.count("# kept") == done.text.count("fork_param { a: 1 }") == 2
    assert reads(done.text)[2:6] == [
        CONV,
        ("conv1_2", "conv1", "conv1_2"),
        ("relu1", "conv1_2", "conv1_2"),
        ("ip1", "conv1_2", "ip1"),
    ]
    assert reads(copy_layer(NET, 3).text)[4] == ("relu1_2", "conv1", "conv1"), "in place as well"
    assert reads(copy_layer(NET, 5, "loss_b").text)[6] == ("loss_b", "ip1 label", ""), "beside it"
    only = NET.replace(NET.splitlines()[2] + "\n", "")
    assert (
        parse(copy_layer(only, 0).text.replace("fork_param { a: 1 }", ""), NetParameter)
        .layer[1]
        .include[0]
        .phase
    )


def test_a_layer_is_taken_out_and_what_it_read_is_read() -> None:
    assert reads(remove_layer(NET, 2).text)[2:4] == [("relu1", "data", "conv1"), IP]
    done = remove_layer(NET, 4)
    assert reads(done.text)[-1] == ("loss", "conv1 label", "") and done.what.endswith("loss reads conv1")
    assert remove_layer(NET, 3).text == NET.replace(NET.splitlines()[11] + "\n", "")
    assert remove_layer(NET, 5).number == 4
    for number in range(6):
        doubled = copy_layer(NET, number)
        back = remove_layer(doubled.text, doubled.number).text
        assert reads(back) == reads(NET), number


def test_what_cannot_be_changed_so_is_said() -> None:
    with pytest.raises(EditError, match="before 2014"):
        add_layer('layers { name: "a" type: RELU bottom: "x" top: "y" }', 0, "ReLU")
    with pytest.raises(EditError, match="there is no layer 9"):
        remove_layer(NET, 9)
    windows = NET.replace("\n", "\r\n")
    assert "\n" not in add_layer(windows, 4, "ReLU").text.replace("\r\n", "")


def test_every_type_can_be_put_into_a_net() -> None:
    for kind in LAYER_TYPES:
        done = add_layer('layer { name: "a" type: "ReLU" bottom: "x" top: "y" }', 0, kind)
        assert parse(done.text, NetParameter).layer[done.number].type == kind
