"""Nets to be used, made of trained ones: what goes, what stays, what comes in and out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from barista_server.caffe import prototxt
from barista_server.caffe.deploy import DeployError, Deployment, Wish, deployed
from barista_server.caffe.deploy_graph import is_end
from barista_server.caffe.deploy_text import (
    Origin,
    Preprocessing,
    facts,
    facts_text,
    net_text,
    preprocessing,
    readme,
    with_foreign,
)
from barista_server.caffe.net import upgrade_net
from barista_server.caffe.schema import TEST, LayerParameter, NetParameter
from barista_server.caffe.shapes import net_shapes
from barista_server.caffe.tolerant import parse_tolerant

from .zoo import ZOO

DATA = """layer { name: "d" type: "Data" top: "data" top: "label" include { phase: %s }
  transform_param { scale: 0.00390625 mirror: true }
  data_param { source: "db" batch_size: 64 backend: LMDB } }
"""
CROSS = "SigmoidCrossEntropyLoss"
PAIR = DATA % "TRAIN" + DATA % "TEST"


def stored(layer: LayerParameter) -> list[tuple[int, ...]] | None:
    """What is in the databases."""
    if layer.type == "HDF5Data":
        return [(10, 7), (10, 3, 2), (10,)][: len(layer.top)]
    return [(1, 28, 28)]


def full(name: str, bottom: str, outputs: int = 10, more: str = "") -> str:
    settings = f'inner_product_param {{ num_output: {outputs} weight_filler {{ type: "xavier" }} }}'
    return layer("InnerProduct", name, bottom, f"{more} {settings}")


def layer(kind: str, name: str, bottoms: str, more: str = "", top: str | None = None) -> str:
    blobs = " ".join(f'bottom: "{blob}"' for blob in bottoms.split())
    made = " ".join(f'top: "{blob}"' for blob in (name if top is None else top).split())
    return f'layer {{ name: "{name}" type: "{kind}" {blobs} {made} {more} }}\n'


def deploy(text: str, wish: Wish | None = None) -> Deployment:
    net = prototxt.parse(text, NetParameter)
    upgrade_net(net, "net.prototxt")
    net.state.phase = TEST
    return deployed(net, wish, stored)


def kinds(found: Deployment) -> list[str]:
    return [one.type for one in found.net.layer]


def names(found: Deployment) -> tuple[list[str], list[str]]:
    return [one.name for one in found.inputs], [one.name for one in found.outputs]


@pytest.mark.parametrize("name", ZOO)
def test_nets_of_the_field(name: str) -> None:
    found = deploy(ZOO[name]())
    assert found.outputs[0].what.startswith("Softmax of ") and names(found)[1] == ["prob"]
    assert not any(is_end(one) for one in found.net.layer)
    assert {one.type for one in found.net.layer if not one.bottom} == {"Input"}
    built = net_shapes(found.net)
    assert built.complete, built.problems
    # What is used is in the trained net, by the same name and with the same settings.
    trained = {one.name: one for one in prototxt.parse(ZOO[name](), NetParameter).layer}
    for one in found.net.layer[len(found.inputs) : -1]:
        assert (one.type, one.bottom, one.top) == (
            trained[one.name].type,
            trained[one.name].bottom,
            trained[one.name].top,
        )
    # A deployed net, deployed again, is the same.
    assert deploy(prototxt.to_text(found.net)).net == found.net
    expected = {"googlenet": ["data"], "captioner": ["words", "cont", "image"]}
    assert names(found)[0] == expected.get(name, names(found)[0])
    if name == "googlenet":
        assert not any("side" in one.name for one in found.net.layer) and len(found.notes) == 2
        both = deploy(ZOO[name](), Wish(outputs=("4a/scores", "scores")))
        assert names(both)[1] == ["4a/scores_prob", "scores_prob"]


def test_losses_of_the_training_alone_count_too() -> None:
    """TRAIN-only layers go; a loss that the test net lacks tells all the same what a score is for."""
    text = PAIR + full("ip1", "data") + layer("ReLU", "relu", "ip1", top="ip1")
    text += layer("Dropout", "drop", "ip1", top="ip1") + full("ip2", "ip1", more="param { lr_mult: 1 }")
    text += layer("SoftmaxWithLoss", "loss", "ip2 label", "include { phase: TRAIN } loss_weight: 2")
    text += layer("Accuracy", "accuracy", "ip2 label", "include { phase: TEST }")
    text += layer(
        "InnerProduct", "aux", "ip1", "include { phase: TRAIN } inner_product_param { num_output: 2 }"
    )
    found = deploy(text)
    assert kinds(found) == ["Input", "InnerProduct", "ReLU", "Dropout", "InnerProduct", "Softmax"]
    assert found.inputs[0].shape == (1, 1, 28, 28) and names(found) == (["data"], ["prob"])
    written = prototxt.to_text(found.net)
    assert not any(word in written for word in ("filler", "lr_mult", "include", "loss", "label"))
    assert [one.type for one in found.sample.layer] == ["Data"]
    assert found.sample.layer[0].data_param.batch_size == 1 and not found.sample.layer[0].include
    assert deploy(text, Wish(batch=5)).inputs[0].shape == (5, 1, 28, 28)
    # Where there is no test net, it is the training net.
    assert names(deploy(text.replace(DATA % "TEST", ""))) == (["data"], ["prob", "aux"])


@pytest.mark.parametrize(
    ("layers", "inputs", "outputs", "last"),
    [
        # A Softmax that is there is not put there twice, nor a Sigmoid.
        (layer("Softmax", "p", "ip") + layer("SoftmaxWithLoss", "loss", "ip label"), "data", "p", "Softmax"),
        (layer("Sigmoid", "s", "ip") + layer(CROSS, "loss", "ip data"), "data", "s", "Sigmoid"),
        (layer(CROSS, "loss", "ip label"), "data", "prob", "Sigmoid"),
        (layer("InfogainLoss", "loss", "ip label"), "data", "prob", "Softmax"),
        (layer("HingeLoss", "loss", "ip label"), "data", "ip", "InnerProduct"),
        (layer("SoftmaxWithLoss", "loss", "ip label", top="loss scores"), "data", "scores", "Softmax"),
        # Of a pair that is compared, what was learned is the output.
        (layer("Flatten", "flat", "data") + layer("EuclideanLoss", "loss", "flat ip"), "data", "ip",
         "InnerProduct"),
        (layer("Python", "loss", "ip label", "loss_weight: 1"), "data", "ip", "InnerProduct"),
        (layer("SmoothL1Loss", "loss", "ip label"), "data", "ip", "InnerProduct"),
        # A loss put together by hand: what was made with a label is not what the net says.
        (layer("Eltwise", "diff", "ip label") + layer("Reduction", "l2", "diff", "loss_weight: 1"),
         "data", "ip", "InnerProduct"),
        # Losses of losses, and what is only swallowed.
        (layer("HingeLoss", "l", "ip label") + layer("Power", "p", "l") + layer("Silence", "q", "l", top=""),
         "data", "ip", "InnerProduct"),
        # No loss at all.
        (layer("ArgMax", "best", "ip"), "data", "best", "ArgMax"),
        ("", "data", "ip", "InnerProduct"),
        (layer("HDF5Output", "file", "ip label", top=""), "data", "ip", "InnerProduct"),
    ],
)  # fmt: skip
def test_what_becomes_of_losses(layers: str, inputs: str, outputs: str, last: str) -> None:
    found = deploy(PAIR + full("ip", "data") + layers)
    assert names(found) == (inputs.split(), outputs.split())
    assert kinds(found)[-1] == last and not found.notes


def test_several_outputs_and_tasks() -> None:
    text = PAIR + full("trunk", "data") + full("what", "trunk", 5) + full("where", "trunk", 4)
    other = (
        'layer { name: "t" type: "HDF5Data" top: "box" top: "x" top: "y" hdf5_data_param { source: "h" } }\n'
    )
    text += layer("SoftmaxWithLoss", "l1", "what label") + layer("EuclideanLoss", "l2", "where box")
    found = deploy(other + text)
    assert names(found) == (["data"], ["prob", "where"])
    # Two losses of one weight on the same labels are two outputs, one of less weight is none.
    again = full("more", "trunk", 5)
    same = text.replace(layer("EuclideanLoss", "l2", "where box"), "") + again
    assert names(deploy(same + layer("SoftmaxWithLoss", "l3", "more label")))[1] == [
        "what_prob",
        "more_prob",
        "where",
    ]
    less = deploy(same + layer("SoftmaxWithLoss", "l3", "more label", "loss_weight: 0.5"))
    assert names(less)[1] == ["prob", "where"] and "'l3' only helps training" in less.notes[0]
    with pytest.raises(DeployError, match="makes no blob 'nothing'") as caught:
        deploy(same, Wish(outputs=("nothing",)))
    assert "It makes: trunk, what, where, more" in caught.value.hint


def siamese(shared: bool = True) -> str:
    """Two pictures in one blob, cut apart, through the same weights."""
    text = DATA % "TEST" + layer(
        "Slice", "cut", "data", "slice_param { slice_dim: 2 slice_point: 14 }", "one two"
    )
    for side in ("one", "two"):
        own = 'param { name: "w" } param { name: "b" }' if shared else ""
        text += full(f"ip_{side}", side, 6, own) + layer("ReLU", f"r_{side}", f"ip_{side}", top=f"ip_{side}")
    return text + layer("ContrastiveLoss", "loss", "ip_one ip_two label")


def test_of_a_siamese_net_one_branch_is_used() -> None:
    found = deploy(siamese())
    assert names(found) == (["one"], ["ip_one"]) and kinds(found) == ["Input", "InnerProduct", "ReLU"]
    (part,) = found.inputs
    assert part.is_part and part.of == "data" and part.shape == (1, 1, 14, 28)
    assert [spec.name for spec in found.net.layer[1].param] == ["w", "b"]
    assert found.notes == ["'ip_two' is left out: the same weights compute 'ip_one'"]
    # The trained net gets the whole, so that what both make of it can be compared.
    assert [one.type for one in found.reference.layer] == ["Input", "Slice", "InnerProduct", "ReLU"]
    both = deploy(siamese(shared=False))
    assert names(both) == (["data"], ["ip_one", "ip_two"]) and "Slice" in kinds(both)


@pytest.mark.parametrize(
    ("source", "inputs"),
    [
        ('layer { name: "m" type: "MemoryData" top: "data" top: "label" memory_data_param { batch_size: 9 '
         "channels: 3 height: 8 width: 8 } }\n", {"data": (1, 3, 8, 8)}),
        ('layer { name: "i" type: "ImageData" top: "data" top: "label" transform_param { crop_size: 20 '
         'mean_value: 104 mean_value: 117 mean_value: 123 } image_data_param { source: "l" new_height: 32 '
         "new_width: 48 } }\n", {"data": (1, 3, 20, 20)}),
        ('layer { name: "h" type: "HDF5Data" top: "data" top: "more" hdf5_data_param { source: "h" '
         "batch_size: 4 } }\n", {"data": (1, 7)}),
        ('input: "data" input_dim: 2 input_dim: 3 input_dim: 4 input_dim: 5\n', {"data": (1, 3, 4, 5)}),
    ],
)  # fmt: skip
def test_kinds_of_data(source: str, inputs: dict[str, tuple[int, ...]]) -> None:
    net = prototxt.parse(source + full("ip", "data"), NetParameter)
    found = deploy(prototxt.to_text(net))
    assert {one.name: one.shape for one in found.inputs} == inputs and names(found)[1] == ["ip"]


def test_shapes_that_nobody_knows_are_asked_for() -> None:
    text = 'layer { name: "p" type: "Python" top: "data" top: "label" }\n' + full("ip", "data")
    text += layer("SoftmaxWithLoss", "loss", "ip label")
    with pytest.raises(
        DeployError, match=r"shape of input 'data' is not known: layer 'p' \(Python\)"
    ) as caught:
        deploy(text)
    assert "--input data=CxHxW" in caught.value.hint
    assert deploy(text, Wish(inputs={"data": (3, 8, 8)})).inputs[0].shape == (1, 3, 8, 8)


def test_a_net_that_allows_no_other_batch_keeps_it() -> None:
    text = (
        PAIR + layer("Reshape", "r", "data", "reshape_param { shape { dim: 64 dim: 784 } }") + full("ip", "r")
    )
    found = deploy(text)
    assert found.inputs[0].shape == (64, 1, 28, 28) and "the batch is that of the training" in found.notes[0]
    with pytest.raises(DeployError):
        deploy(text, Wish(batch=2))


def test_stages_for_deployment_and_constants() -> None:
    """A net that says itself what is used where; a constant beside the data is a part of the net."""
    text = PAIR.replace("include { phase: TEST }", 'include { phase: TEST not_stage: "deploy" }')
    shape = "shape { dim: 8 dim: 5 }"
    text += layer("Input", "data", "", f'include {{ stage: "deploy" }} input_param {{ {shape} }}')
    filler = 'data_filler { type: "constant" value: 1 }'
    text += layer("DummyData", "one", "", f"dummy_data_param {{ {shape} {filler} }}")
    text += layer("Eltwise", "sum", "data one") + full("ip", "sum")
    text += layer("Softmax", "own", "ip", 'include { stage: "deploy" }')
    text += layer("SoftmaxWithLoss", "loss", "ip label", 'exclude { stage: "deploy" }')
    found = deploy(text)
    assert names(found) == (["data"], ["own"]) and kinds(found)[1] == "DummyData"
    assert list(found.net.layer[1].dummy_data_param.shape[0].dim) == [1, 5]
    with pytest.raises(DeployError, match="nothing in this net"):
        deploy(PAIR + layer("Silence", "s", "data label", top=""))


def test_the_files_say_what_the_inputs_expect() -> None:
    transform = 'transform_param { crop_size: 20 mean_file: "m" scale: 0.5 mirror: true }'
    images = 'image_data_param { source: "l\\n layer {" new_height: 32 new_width: 48 }'
    source = layer("ImageData", "i", "", f"{transform} {images}", "data label")
    text = source + full("ip", "data").replace("num_output", "blur: 3 engine: ODD num_output")
    net, foreign = parse_tolerant(text, NetParameter)
    net.state.phase = TEST
    found = deployed(net, None, stored)
    steps = {one.name: preprocessing(net.layer[one.index]) for one in found.inputs}
    assert steps["data"] == Preprocessing(
        "i", "ImageData", "l\n layer {", (32, 48), "channels blue, green, red", 20, (), "m", 0.5
    )
    origin = Origin("my\nnet", 100, "n_iter_100.caffemodel", more={"check": None})
    written = net_text(found, origin, steps, foreign)
    assert "#   less the mean in m, cut out alike\n#   times 0.5\n" in written
    assert "    blur: 3\n    engine: ODD\n" in written
    again, kept = parse_tolerant(written, NetParameter)
    assert again == found.net and len(kept) == 2
    about = json.loads(facts_text(facts(found, origin, steps)))
    assert about["inputs"][0]["resize"] == [32, 48] and about["outputs"][0] == {
        "name": "ip",
        "shape": [1, 10],
        "what": "InnerProduct",
    }
    page = readme(found, origin, steps, "Not checked.")
    assert "resized to 32 x 48" in page and 'forward()["ip"]' in page and "Not checked." in page
    assert preprocessing(LayerParameter(type="HDF5Data")).words() == ["as it was read, unchanged"]


def test_fields_of_forks_go_back_to_their_blocks() -> None:
    text = 'layer {\n  name: "x"\n  pooling_param {\n    pool: MAX\n  }\n}\n'
    fields = [(["pooling_param", "soft"], "soft: 1"), (["odd_param", "in", "q"], "q: 2"), (["t"], "t: 3")]
    assert with_foreign(text, fields) == (
        'layer {\n  name: "x"\n  pooling_param {\n    pool: MAX\n    soft: 1\n  }\n'
        "  odd_param { in { q: 2 } }\n  t: 3\n}\n"
    )


_STEP = st.tuples(st.sampled_from(["full", "relu", "sigmoid", "sum"]), st.integers(0, 9), st.booleans())
_END = st.sampled_from(["SoftmaxWithLoss", "HingeLoss", "EuclideanLoss", "Accuracy", "Silence"])
_STEPS = st.lists(_STEP, min_size=1, max_size=8)
_ENDS = st.lists(st.tuples(_END, st.integers(0, 9)), max_size=4)


@settings(max_examples=60, deadline=None)
@given(_STEPS, _ENDS)
def test_any_net(steps: list[tuple[str, int, bool]], ends: list[tuple[str, int]]) -> None:
    """Whatever a net is like: no end stays, what is there can be built and leads to an output."""
    text = PAIR + layer("Flatten", "flat", "data") + full("b0", "flat")
    blobs = ["b0"]
    for number, (kind, at, in_place) in enumerate(steps, 1):
        bottom, top = blobs[at % len(blobs)], f"b{number}"
        if kind == "full":
            text += full(top, bottom)
        elif kind == "sum":
            text += layer("Eltwise", top, f"{bottom} {blobs[-1]}")
        elif in_place and bottom == blobs[-1]:
            text += layer({"relu": "ReLU", "sigmoid": "Sigmoid"}[kind], f"in{number}", bottom, top=bottom)
            continue
        else:
            text += layer({"relu": "ReLU", "sigmoid": "Sigmoid"}[kind], top, bottom)
        blobs.append(top)
    for number, (kind, at) in enumerate(ends):
        bottom = blobs[at % len(blobs)]
        label = "" if kind == "Silence" else " label" if kind != "EuclideanLoss" else " b0"
        text += layer(kind, f"e{number}", bottom + label, top="" if kind == "Silence" else None)
    found = deploy(text)
    assert found.outputs and names(found)[0] == ["data"]
    assert not any(is_end(one) for one in found.net.layer)
    built = net_shapes(found.net)
    assert built.complete, built.problems
    read = {blob for one in found.net.layer for blob in one.bottom}
    loose = {blob for one in found.net.layer for blob in one.top} - read
    assert loose <= set(names(found)[1]) | {"data"}, "a layer is there that leads nowhere"
    assert deploy(prototxt.to_text(found.net)).net.layer == found.net.layer


def test_the_packaged_nets() -> None:
    import barista_server.templates as templates

    for name in ("lenet-digits", "cifar10-quick", "autoencoder"):
        text = (Path(templates.__file__).parent / name / "net.prototxt").read_text()
        found = deploy(text)
        said = {"autoencoder": ("picture", "Sigmoid")}.get(name, ("prob", "Softmax of ip2"))
        assert found.outputs[0].name == said[0] and found.outputs[0].what == said[1]
        assert [one.name for one in found.inputs] == ["data"] and not found.notes
