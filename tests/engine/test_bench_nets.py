"""The benchmark compares like with like: both forms of a net compute the same loss from the same numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from barista_engine.net import Net
from benchmarks.engine import make_data, make_solver, write_lmdb
from benchmarks.engine_nets import CASES, Case


def weights_of(net: Net) -> list[torch.Tensor]:
    """Weight and bias of each layer that learns, in order; shared ones once."""
    return [param.value.detach().clone() for param in net.learnable]


@pytest.mark.parametrize("case", [case for case in CASES if not case.crop], ids=lambda case: case.name)
def test_both_forms_of_a_net_compute_the_same_loss(case: Case, tmp_path: Path) -> None:
    images, labels = make_data(case)
    write_lmdb(tmp_path / "lmdb", images, labels)
    solver = make_solver(case, tmp_path)
    try:
        weights = weights_of(solver.net)
        assert [tuple(weight.shape) for weight in weights[0::2]] == list(case.weights)
        loss = solver.net.forward().item()
    finally:
        solver.close()
    first = torch.from_numpy(images[: case.batch]).float() / 256
    by_hand = case.loss(first, torch.from_numpy(labels[: case.batch]), weights).item()
    assert by_hand == pytest.approx(loss, rel=1e-4)


def test_caffenet_has_the_parameters_of_its_twin(tmp_path: Path) -> None:
    """Dropout and random crops keep the losses apart."""
    (case,) = (case for case in CASES if case.crop)
    images, labels = make_data(case)
    write_lmdb(tmp_path / "lmdb", images[:1], labels[:1])
    solver = make_solver(case, tmp_path)
    try:
        assert [param.shape for param in solver.net.learnable[0::2]] == list(case.weights)
        assert solver.net.shapes["data"] == (16, 3, 227, 227)
    finally:
        solver.close()
