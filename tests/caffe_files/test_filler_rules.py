"""Fillers that Caffe refuses, with the setting at fault; a filler that is not used does no harm."""

from __future__ import annotations

import pytest
from google.protobuf import text_format

from barista_server.caffe.schema import NetParameter
from barista_server.caffe.shapes import ShapeProblem, net_shapes

INPUT = 'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 4 dim: 5 dim: 5 } } }\n'


def problems(kind: str, settings: str) -> list[ShapeProblem]:
    text = INPUT + f'layer {{ name: "L" type: "{kind}" bottom: "x" top: "y" {settings} }}'
    return net_shapes(text_format.Parse(text, NetParameter())).problems


WEIGHT = "inner_product_param { num_output: 3 weight_filler { %s } }"
BIAS = "inner_product_param { num_output: 3 bias_filler { %s } }"


@pytest.mark.parametrize(
    ("settings", "field", "words"),
    [
        (WEIGHT % 'type: "xaver"', "weight_filler.type", "xaver"),
        (BIAS % 'type: "msra" sparse: 2', "bias_filler.sparse", "Sparsity"),
        (WEIGHT % 'type: "uniform" min: 2', "weight_filler.min", "min 2"),
        (WEIGHT % 'type: "gaussian" std: 0', "weight_filler.std", "sigma"),
        (WEIGHT % 'type: "gaussian" sparse: 4', "weight_filler.sparse", "sparse 4"),
        (WEIGHT % 'type: "bilinear"', "weight_filler.type", "square"),
    ],
)
def test_a_filler_is_refused(settings: str, field: str, words: str) -> None:
    (problem,) = problems("InnerProduct", settings)
    assert problem.field == f"inner_product_param.{field}" and words in problem.message


def test_a_single_number_has_no_rows_to_count() -> None:
    (problem,) = problems("Scale", 'scale_param { num_axes: 0 filler { type: "msra" } }')
    assert problem.field == "scale_param.filler.type"


def test_the_nearest_filler_is_named() -> None:
    (problem,) = problems("InnerProduct", WEIGHT % 'type: "xaver"')
    assert "xavier" in problem.hint


def test_a_filler_of_what_is_not_there_is_not_looked_at() -> None:
    settings = 'inner_product_param { num_output: 3 bias_term: false bias_filler { type: "none" } }'
    assert problems("InnerProduct", settings) == []


def test_each_top_of_dummy_data_has_its_filler() -> None:
    text = (
        'layer { name: "L" type: "DummyData" top: "a" top: "b" dummy_data_param { shape { dim: 3 } '
        'data_filler {} data_filler { type: "none" } } }'
    )
    (problem,) = net_shapes(text_format.Parse(text, NetParameter())).problems
    assert (problem.field, problem.position) == ("dummy_data_param.data_filler.type", 1)
