"""Fillers: ranges, moments and shapes of what they put into a blob."""

from __future__ import annotations

import math

import pytest
import torch
from google.protobuf import text_format

from barista_engine.errors import CheckFailed
from barista_engine.fillers import fill
from barista_engine.rng import Stream
from barista_server.caffe.schema import FillerParameter

SHAPE = (40, 10, 5, 5)
FAN_IN, FAN_OUT = 250, 1000


def filled(text: str, shape: tuple[int, ...] = SHAPE, seed: int = 1) -> torch.Tensor:
    return fill(text_format.Parse(text, FillerParameter()), shape, Stream(seed))


def test_the_default_is_zero() -> None:
    assert torch.equal(filled(""), torch.zeros(SHAPE))
    assert filled("value: 0.25", ()).item() == 0.25


def test_uniform_spans_its_range() -> None:
    blob = filled('type: "uniform" min: -2 max: 4')
    assert -2 <= blob.min() < -1.9
    assert 3.9 < blob.max() <= 4
    assert blob.mean().item() == pytest.approx(1, abs=0.1)


def test_gaussian_has_its_moments() -> None:
    blob = filled('type: "gaussian" mean: 3 std: 0.5')
    assert blob.mean().item() == pytest.approx(3, abs=0.03)
    assert blob.std().item() == pytest.approx(0.5, abs=0.03)


def test_sparse_gaussian_keeps_few_numbers() -> None:
    blob = filled('type: "gaussian" sparse: 10')
    assert (blob != 0).float().mean().item() == pytest.approx(10 / 40, abs=0.03)


@pytest.mark.parametrize(
    ("norm", "n"), [("FAN_IN", FAN_IN), ("FAN_OUT", FAN_OUT), ("AVERAGE", (FAN_IN + FAN_OUT) / 2)]
)
def test_xavier_and_msra_scale_by_fan(norm: str, n: float) -> None:
    xavier = filled(f'type: "xavier" variance_norm: {norm}')
    assert xavier.abs().max().item() == pytest.approx(math.sqrt(3 / n), rel=0.01)
    msra = filled(f'type: "msra" variance_norm: {norm}')
    assert msra.std().item() == pytest.approx(math.sqrt(2 / n), rel=0.05)


def test_rows_of_the_unit_ball_sum_to_one() -> None:
    blob = filled('type: "positive_unitball"')
    assert blob.min() >= 0
    torch.testing.assert_close(blob.flatten(1).sum(1), torch.ones(40))


def test_bilinear_is_the_usual_upsampling_kernel() -> None:
    blob = filled('type: "bilinear"', (2, 1, 4, 4))
    line = torch.tensor([0.25, 0.75, 0.75, 0.25])
    torch.testing.assert_close(blob[1, 0], line[:, None] * line)


def test_equal_seeds_give_equal_numbers() -> None:
    assert torch.equal(filled('type: "xavier"'), filled('type: "xavier"'))
    assert not torch.equal(filled('type: "xavier"'), filled('type: "xavier"', seed=2))


@pytest.mark.parametrize(
    ("text", "shape", "message"),
    [
        ('type: "glorot"', SHAPE, "Unknown filler name: glorot"),
        ('type: "xavier" sparse: 3', SHAPE, "Sparsity not supported by this Filler."),
        ('type: "bilinear"', (2, 2), "Blob must be 4 dim."),
        ('type: "bilinear"', (1, 1, 2, 3), "Filter must be square"),
    ],
)
def test_fillers_that_caffe_refuses(text: str, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(CheckFailed, match=message):
        filled(text, shape)
