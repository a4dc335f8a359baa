"""Well-known nets come out as BVLC Caffe 1.0 reported them: each top, each parameter and the memory.

``fixtures/shapes/zoo.jsonl`` holds what it logged, and the shapes of its parameters, when it built the nets
of zoo.py: of a test net only the layers that the train net lacks or has otherwise.
"""

import json
from pathlib import Path
from typing import Any

import pytest

from barista_server.caffe import prototxt
from barista_server.caffe.net import net_state, upgrade_net
from barista_server.caffe.schema import TEST, TRAIN, NetParameter
from barista_server.caffe.shapes import net_shapes

from .zoo import ZOO

REPORTED = [
    json.loads(line)
    for line in (Path(__file__).parent.parent / "fixtures/shapes/zoo.jsonl").read_text().splitlines()
]
PARAMETERS = {
    "alexnet": 60_965_224,
    "caffenet": 60_965_224,
    "googlenet": 13_378_280,
    "rcnn": 57_687_624,
    "resnet50": 25_610_205,
    "vgg16": 138_357_544,
}
"""In both phases, as it reported them."""


@pytest.mark.parametrize("name", ZOO)
def test_shapes_parameters_and_memory_are_those_that_caffe_reported(name: str) -> None:
    net = prototxt.parse(ZOO[name](), NetParameter)
    upgrade_net(net)
    reported: dict[str, Any] = {}
    for record in (record for record in REPORTED if record["net"] == name):
        shapes = net_shapes(net, net_state(TRAIN if record["phase"] == "train" else TEST))
        assert shapes.problems == [] and shapes.complete
        ours = {
            layer.name: [[_text(top) for top in layer.tops], [_text(param) for param in layer.params]]
            for layer in shapes.layers
        }
        reported |= record["layers"]
        assert ours == reported
        assert shapes.data_bytes == record["memory"]
        if name in PARAMETERS:
            assert shapes.param_bytes == 4 * PARAMETERS[name]


def _text(shape: tuple[int, ...] | None) -> str:
    return " ".join(map(str, shape or ()))


def test_every_net_was_reported_in_both_phases() -> None:
    assert [(record["net"], record["phase"]) for record in REPORTED] == [
        (name, phase) for name in ZOO for phase in ("train", "test")
    ]
