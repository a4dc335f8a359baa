"""Learning rates and update rules, checked against their formulas written out in numpy."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from barista_engine.errors import CheckFailed
from barista_engine.glog import Glog
from barista_engine.lr import advance_step, learning_rate
from barista_engine.solvers import Updater, check_solver
from barista_server.caffe.prototxt import parse
from barista_server.caffe.schema import SolverParameter

from .golden_logs import messages


def solver(text: str) -> SolverParameter:
    return parse(text, SolverParameter)


@pytest.mark.parametrize(
    ("text", "iteration", "step", "rate"),
    [
        ('lr_policy: "fixed" base_lr: 0.5', 1000, 0, 0.5),
        ('lr_policy: "step" base_lr: 1 gamma: 0.5 stepsize: 10', 29, 2, 0.25),
        ('lr_policy: "exp" base_lr: 2 gamma: 0.5', 3, 0, 0.25),
        ('lr_policy: "inv" base_lr: 1 gamma: 1 power: 0.5', 3, 0, 0.5),
        ('lr_policy: "multistep" base_lr: 1 gamma: 0.5 stepvalue: 3', 5, 1, 0.5),
        ('lr_policy: "poly" base_lr: 1 power: 2 max_iter: 10', 5, 0, 0.25),
        ('lr_policy: "poly" base_lr: 1 power: 2 max_iter: 10', 10, 0, 0.0),
        ('lr_policy: "sigmoid" base_lr: 1 gamma: -0.5 stepsize: 10', 10, 0, 0.5),
    ],
)
def test_learning_rate(text: str, iteration: int, step: int, rate: float) -> None:
    if "gamma: -" in text:
        with pytest.raises(CheckFailed, match="gamma"):
            learning_rate(solver(text), iteration, step)
        text = text.replace("gamma: -", "gamma: ")
    assert advance_step(solver(text), iteration, max(0, step - 1)) == step
    assert learning_rate(solver(text), iteration, step) == pytest.approx(rate)


def test_poly_past_its_end_is_not_a_number() -> None:
    param = solver('lr_policy: "poly" base_lr: 1 power: 0.5 max_iter: 10')
    assert math.isnan(learning_rate(param, 11, 0))


def test_multistep_advances_by_one_an_iteration() -> None:
    param = solver('lr_policy: "multistep" stepvalue: 2 stepvalue: 3 stepvalue: 5')
    assert [advance_step(param, 10, step) for step in (0, 1, 2, 3)] == [1, 2, 3, 3]
    assert [advance_step(param, iteration, 0) for iteration in (0, 1, 2)] == [0, 0, 1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('lr_policy: "cosine"', "Unknown learning rate policy: cosine"),
        ("base_lr: 1", "Unknown learning rate policy: "),
    ],
)
def test_unknown_policy(text: str, message: str) -> None:
    with pytest.raises(CheckFailed) as caught:
        learning_rate(solver(text), 0, 0)
    assert caught.value.message == message


def test_step_without_stepsize() -> None:
    with pytest.raises(CheckFailed, match=r"stepsize\(\) > 0 \(0 vs. 0\)"):
        advance_step(solver('lr_policy: "step"'), 0, 0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('type: "LBFGS"', "Unknown solver type: LBFGS .*AdaDelta, AdaGrad, Adam, Nesterov, RMSProp, SGD"),
        ('type: "AdaGrad" momentum: 0.9', "Momentum cannot be used with AdaGrad."),
        ('type: "RMSProp" momentum: 0.9', "Momentum cannot be used with RMSProp."),
        ('type: "RMSProp" rms_decay: 1', "rms_decay should lie between 0 and 1."),
    ],
)
def test_what_a_rule_refuses(text: str, message: str) -> None:
    with pytest.raises(CheckFailed, match=message):
        check_solver(solver(text))


@dataclass
class Blob:
    """A learnable blob with its multipliers."""

    value: torch.Tensor
    lr_mult: float = 1.0
    decay_mult: float = 1.0


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Glog]:
    fd = os.open(tmp_path / "log", os.O_RDWR | os.O_CREAT)
    yield Glog(fd=fd)
    os.close(fd)


def expected_sgd(w: np.ndarray, h: np.ndarray, g: np.ndarray, rate: float) -> tuple[np.ndarray, np.ndarray]:
    h = 0.9 * h + rate * g
    return w - h, h


@pytest.mark.parametrize("kind", ["L1", "L2"])
def test_order_of_clip_normalise_regularise_and_multipliers(kind: str, log: Glog, tmp_path: Path) -> None:
    param = solver(
        'type: "SGD" momentum: 0.9 weight_decay: 0.1 iter_size: 2 clip_gradients: 1 '
        f'regularization_type: "{kind}"'
    )
    random = np.random.default_rng(0)
    start = [random.normal(size=shape) for shape in ((3, 4), (4,), (2,))]
    blobs = [
        Blob(torch.tensor(values, dtype=torch.float32), lr_mult, decay_mult)
        for values, lr_mult, decay_mult in zip(start, (1, 2, 0), (1, 0, 1), strict=True)
    ]
    updater = Updater(param, blobs, log)
    weights, history = [w.copy() for w in start], [np.zeros_like(w) for w in start]
    for iteration in range(3):
        gradients = [random.normal(size=w.shape) for w in start]
        updater.clear_gradients()
        for blob, gradient in zip(blobs[:2], gradients, strict=False):
            blob.value.grad = torch.tensor(gradient, dtype=torch.float32)
        updater.apply(0.1, iteration)
        norm = math.sqrt(sum(float((g**2).sum()) for g in gradients[:2]))
        for i in (0, 1):
            g = gradients[i] / norm / 2
            w = weights[i]
            g = g + 0.1 * blobs[i].decay_mult * (w if kind == "L2" else np.sign(w))
            weights[i], history[i] = expected_sgd(w, history[i], g, 0.1 * blobs[i].lr_mult)
    for blob, expected, mine, theirs in zip(blobs, weights, updater.history, history, strict=True):
        np.testing.assert_allclose(blob.value.numpy(), expected, rtol=1e-5)
        np.testing.assert_allclose(mine.numpy(), theirs, rtol=1e-5)
    said = messages((tmp_path / "log").read_bytes())
    assert len(said) == 3
    assert said[-1].startswith(
        f"Gradient clipping: scaling down gradients (L2 norm {norm:g} > 1) by scale factor"
    )


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_a_gradient_may_lie_in_memory_otherwise_than_its_blob(momentum: float, log: Glog) -> None:
    torch.manual_seed(0)
    start, gradient = torch.randn(3, 4, 5, 5), torch.randn(3, 4, 5, 5)
    blob = Blob(start.clone(memory_format=torch.channels_last))
    blob.value.grad = gradient.clone()
    assert blob.value.stride() != blob.value.grad.stride()
    updater = Updater(solver(f'type: "SGD" momentum: {momentum} weight_decay: 0.5'), [blob], log)
    updater.apply(0.1, 0)
    torch.testing.assert_close(blob.value, start - 0.1 * (gradient + 0.5 * start))
    torch.testing.assert_close(updater.history[0], 0.1 * (gradient + 0.5 * start))


def test_a_small_gradient_is_not_clipped(log: Glog, tmp_path: Path) -> None:
    blob = Blob(torch.zeros(2))
    blob.value.grad = torch.tensor([0.3, 0.4])
    Updater(solver('type: "SGD" clip_gradients: 1'), [blob], log).apply(1.0, 0)
    np.testing.assert_allclose(blob.value.numpy(), [-0.3, -0.4], rtol=1e-6)
    assert (tmp_path / "log").read_bytes() == b""


@pytest.mark.parametrize("kind", ["Adam", "AdaDelta"])
def test_history_holds_all_first_slots_before_the_second(kind: str, log: Glog) -> None:
    blobs = [Blob(torch.ones(2)), Blob(torch.ones(3), lr_mult=2)]
    for blob in blobs:
        blob.value.grad = torch.full_like(blob.value, 2.0)
    updater = Updater(solver(f'type: "{kind}" momentum: 0.9'), blobs, log)
    updater.apply(0.1, 0)
    assert [len(blob) for blob in updater.history] == [2, 3, 2, 3]
    first = {"Adam": 0.1 * 2, "AdaDelta": 0.1 * 4}[kind]  # mean of the gradient, of its square
    torch.testing.assert_close(updater.history[1], torch.full((3,), first))


@given(
    st.sampled_from(["SGD", "Nesterov", "Adam", "AdaGrad", "RMSProp", "AdaDelta"]),
    st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=4),
)
def test_every_rule_steps_against_the_gradient(kind: str, gradient: list[float]) -> None:
    blob = Blob(torch.zeros(len(gradient)))
    blob.value.grad = torch.tensor(gradient)
    Updater(solver(f'type: "{kind}"'), [blob], Glog()).apply(0.01, 0)
    moved = blob.value.numpy()
    assert np.isfinite(moved).all()
    assert (moved * np.array(gradient) <= 0).all()


def test_weight_decay_fills_the_history_of_frozen_blobs(log: Glog) -> None:
    adam = 'type: "Adam" momentum: 0.9 momentum2: 0.999 weight_decay: 0.1'
    frozen = Blob(torch.tensor([2.0]), lr_mult=0)
    updater = Updater(solver(adam), [frozen], log)
    updater.apply(0.1, 0)
    assert frozen.value.tolist() == [2.0]
    np.testing.assert_allclose(torch.cat(updater.history), [0.1 * 0.2, 0.001 * 0.2**2], rtol=1e-3)


def test_a_blob_frozen_in_motion_rolls_on(log: Glog) -> None:
    frozen = Blob(torch.tensor([2.0]), lr_mult=0)
    updater = Updater(solver('type: "SGD" momentum: 0.5'), [frozen], log)
    updater.history[0].fill_(0.4)  # as a snapshot of before has it
    updater.apply(0.1, 0)
    np.testing.assert_allclose(frozen.value, [1.8])
