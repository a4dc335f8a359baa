"""Update rules: from accumulated gradients to new weights, in Caffe's order of operations.

Clip, divide by iter_size, regularise, rule, subtract. A rule handles all blobs that share a pair of
multipliers at once (torch's foreach kernels), which makes the update cheap. A new rule is a function and a
table entry.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from barista_engine.errors import CheckFailed
from barista_engine.glog import number
from barista_engine.interfaces import Log
from barista_server.caffe.schema import SolverParameter


class Blob(Protocol):
    """What a rule needs to know of a learnable blob."""

    @property
    def value(self) -> Tensor: ...
    @property
    def lr_mult(self) -> float: ...
    @property
    def decay_mult(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Group:
    """Blobs with equal multipliers; `slots` are the history lists, `steps` those kept: one entry a blob."""

    lr_mult: float
    decay_mult: float
    values: list[Tensor]
    slots: tuple[list[Tensor], ...]
    steps: list[Tensor]


Rule = Callable[[SolverParameter, Group, list[Tensor], float, int], None]
"""(solver, group, gradients, rate x lr_mult, iteration): updates slots and values, may spoil gradients."""


def _sgd(solver: SolverParameter, group: Group, gradients: list[Tensor], rate: float, iteration: int) -> None:
    (history,) = group.slots
    torch._foreach_mul_(history, solver.momentum)
    torch._foreach_add_(history, gradients, alpha=rate)
    torch._foreach_sub_(group.values, history)


def _sgd_at_once(
    solver: SolverParameter, group: Group, gradients: list[Tensor], rate: float, decay: float
) -> None:
    """L2 decay and _sgd in one pass over memory: a CPU needs less than half the time.

    Torch's history has no rate in it; dampening takes its place there: h = mu h + (1 - dampening) g.
    """
    (history,) = group.slots
    # Beyond what its signature says the kernel takes for granted that all lie in memory alike.
    alike = [
        gradient if gradient.stride() == value.stride() else torch.empty_like(value).copy_(gradient)
        for gradient, value in zip(gradients, group.values, strict=True)
    ]
    torch._fused_sgd_(
        group.values,
        alike,
        history,
        weight_decay=decay,
        momentum=solver.momentum,
        lr=1.0,
        dampening=1 - rate,
        nesterov=False,
        maximize=False,
        is_first_step=False,
    )


def _nesterov(
    solver: SolverParameter, group: Group, gradients: list[Tensor], rate: float, iteration: int
) -> None:
    (history,) = group.slots
    momentum = solver.momentum
    torch._foreach_mul_(history, momentum)
    # step = (1 + mu) h' - mu h, and mu h is what history holds between these two lines
    torch._foreach_add_(group.values, history)
    torch._foreach_add_(history, gradients, alpha=rate)
    torch._foreach_sub_(group.values, history, alpha=1 + momentum)


def _adagrad(
    solver: SolverParameter, group: Group, gradients: list[Tensor], rate: float, iteration: int
) -> None:
    (squares,) = group.slots
    torch._foreach_addcmul_(squares, gradients, gradients)
    _divided_step(solver, group, gradients, squares, rate)


def _rmsprop(
    solver: SolverParameter, group: Group, gradients: list[Tensor], rate: float, iteration: int
) -> None:
    (squares,) = group.slots
    torch._foreach_mul_(squares, solver.rms_decay)
    torch._foreach_addcmul_(squares, gradients, gradients, value=1 - solver.rms_decay)
    _divided_step(solver, group, gradients, squares, rate)


def _adadelta(
    solver: SolverParameter, group: Group, gradients: list[Tensor], rate: float, iteration: int
) -> None:
    squares, updates = group.slots
    decay = solver.momentum
    torch._foreach_mul_(squares, decay)
    torch._foreach_addcmul_(squares, gradients, gradients, value=1 - decay)
    ratio = torch._foreach_add(updates, solver.delta)
    torch._foreach_div_(ratio, torch._foreach_add(squares, solver.delta))
    torch._foreach_sqrt_(ratio)
    torch._foreach_mul_(gradients, ratio)
    torch._foreach_mul_(updates, decay)
    torch._foreach_addcmul_(updates, gradients, gradients, value=1 - decay)
    torch._foreach_sub_(group.values, gradients, alpha=rate)


def _adam(
    solver: SolverParameter, group: Group, gradients: list[Tensor], rate: float, iteration: int
) -> None:
    means, squares = group.slots
    beta1, beta2, t = solver.momentum, solver.momentum2, iteration + 1
    torch._foreach_mul_(means, beta1)
    torch._foreach_add_(means, gradients, alpha=1 - beta1)
    torch._foreach_mul_(squares, beta2)
    torch._foreach_addcmul_(squares, gradients, gradients, value=1 - beta2)
    correction = math.sqrt(1 - beta2**t) / (1 - beta1**t)
    _divided_step(solver, group, means, squares, rate * correction)


def _divided_step(
    solver: SolverParameter, group: Group, numerators: list[Tensor], squares: list[Tensor], rate: float
) -> None:
    root = torch._foreach_sqrt(squares)
    torch._foreach_add_(root, solver.delta)
    torch._foreach_addcdiv_(group.values, numerators, root, value=-rate)


_RULES: dict[str, tuple[Rule, int]] = {  # type -> rule, history blobs for each learnable blob
    "AdaDelta": (_adadelta, 2),
    "AdaGrad": (_adagrad, 1),
    "Adam": (_adam, 2),
    "Nesterov": (_nesterov, 1),
    "RMSProp": (_rmsprop, 1),
    "SGD": (_sgd, 1),
}


def check_solver(solver: SolverParameter) -> None:
    """Raise CheckFailed for a type that does not exist and for settings its rule refuses."""
    check_type(solver)
    if solver.type in ("AdaGrad", "RMSProp") and solver.momentum:
        message = f"Check failed: 0 == this->param_.momentum() (0 vs. {number(solver.momentum)})"
        raise CheckFailed(f"{message} Momentum cannot be used with {solver.type}.", "sgd_solvers.hpp", 76)
    if solver.type == "RMSProp" and not 0 <= solver.rms_decay < 1:
        bound = "< 1" if solver.rms_decay >= 1 else ">= 0"
        values = f"({number(solver.rms_decay)} vs. {bound[-1]})"
        message = f"Check failed: this->param_.rms_decay() {bound} {values}"
        raise CheckFailed(f"{message} rms_decay should lie between 0 and 1.", "sgd_solvers.hpp", 98)


def check_type(solver: SolverParameter) -> None:
    """Raise CheckFailed for a type that does not exist."""
    if solver.type not in _RULES:
        known = ", ".join(sorted(_RULES))
        message = f"Check failed: registry.count(type) == 1 (0 vs. 1) Unknown solver type: {solver.type}"
        raise CheckFailed(f"{message} (known types: {known})", "solver_factory.hpp", 76)


class Updater:
    """One solver's update rule and its history, over the learnable blobs in net order.

    `history` is in Caffe's order: for every blob its first slot, then (Adam, AdaDelta) for every blob its
    second; each tensor has the shape of its blob. With `snapshot_diff`, `steps` has what the last update
    took from each blob (zeros before the first).
    """

    def __init__(self, solver: SolverParameter, blobs: Sequence[Blob], log: Log) -> None:
        """Raises CheckFailed for an unknown solver type or settings that it refuses."""
        check_solver(solver)
        self._rule, slots = _RULES[solver.type]
        self._solver = solver
        self._log = log
        self._blobs = list(blobs)
        self.steps = [torch.zeros_like(blob.value) for blob in self._blobs] if solver.snapshot_diff else []
        self.history = [torch.zeros_like(blob.value) for _ in range(slots) for blob in self._blobs]
        self._at_once = (
            self._rule is _sgd
            and solver.momentum != 0  # without it the kernel keeps no history
            and not self.steps
            and (solver.regularization_type == "L2" or not solver.weight_decay)
            and all(blob.value.device.type == "cpu" for blob in self._blobs)
        )
        count = len(self._blobs)
        keys: dict[tuple[float, float], list[int]] = {}
        for index, blob in enumerate(self._blobs):
            keys.setdefault((blob.lr_mult, blob.decay_mult), []).append(index)
        self._groups = [
            Group(
                lr_mult,
                decay_mult,
                [self._blobs[index].value for index in members],
                tuple([self.history[slot * count + index] for index in members] for slot in range(slots)),
                [self.steps[index] for index in members] if self.steps else [],
            )
            for (lr_mult, decay_mult), members in keys.items()
        ]
        self._begun = False

    def clear_gradients(self) -> None:
        """Forget the gradients, so that the next backward pass starts from zero."""
        for blob in self._blobs:
            blob.value.grad = None

    @torch.no_grad()
    def apply(self, rate: float, iteration: int) -> None:
        """Update the weights from their `.grad` (the sum over iter_size passes) at `rate`; logs clipping."""
        self._clip()
        if not self._begun:
            self._groups = [group for group in self._groups if not self._rests(group)]
            self._begun = True
        for group in self._groups:
            gradients = [_gradient(value) for value in group.values]
            if self._solver.iter_size != 1:
                torch._foreach_div_(gradients, float(self._solver.iter_size))
            if self._at_once:
                decay = self._solver.weight_decay * group.decay_mult
                _sgd_at_once(self._solver, group, gradients, rate * group.lr_mult, decay)
                continue
            self._regularize(group, gradients)
            self._move(group, gradients, rate * group.lr_mult, iteration)

    def _rests(self, group: Group) -> bool:
        """Whether frozen blobs need no update: their history is zero and stays so.

        Where the rate is not part of the history, weight decay fills it all the same, as in Caffe.
        """
        rate_inside = self._solver.type in ("SGD", "Nesterov")
        return not group.lr_mult and rate_inside and not any(bool(h.any()) for h in group.slots[0])

    def _move(self, group: Group, gradients: list[Tensor], rate: float, iteration: int) -> None:
        """Apply the rule. A step that is to be kept is made from zero first, where rounding spares it."""
        if not group.steps:
            self._rule(self._solver, group, gradients, rate, iteration)
            return
        torch._foreach_zero_(group.steps)
        self._rule(self._solver, replace(group, values=group.steps), gradients, rate, iteration)
        torch._foreach_add_(group.values, group.steps)
        torch._foreach_neg_(group.steps)

    def _clip(self) -> None:
        limit = self._solver.clip_gradients
        if limit < 0:
            return
        gradients = [blob.value.grad for blob in self._blobs if blob.value.grad is not None]
        norm = torch.stack(list(torch._foreach_norm(gradients))).norm().item() if gradients else 0.0
        if norm > limit:
            scale = limit / norm
            self._log.info(
                "sgd_solver.cpp:99",
                f"Gradient clipping: scaling down gradients (L2 norm {number(norm)} > {number(limit)}) "
                f"by scale factor {number(scale)}",
            )
            torch._foreach_mul_(gradients, scale)

    def _regularize(self, group: Group, gradients: list[Tensor]) -> None:
        decay = self._solver.weight_decay * group.decay_mult
        if not decay:
            return
        if self._solver.regularization_type == "L2":
            torch._foreach_add_(gradients, group.values, alpha=decay)
        elif self._solver.regularization_type == "L1":
            torch._foreach_add_(gradients, torch._foreach_sign(group.values), alpha=decay)
        else:
            message = f"Unknown regularization type: {self._solver.regularization_type}"
            raise CheckFailed(message, "sgd_solver.cpp", 181)


def _gradient(value: Tensor) -> Tensor:
    """The accumulated gradient; zero for a blob that no loss of this pass depends on, as Caffe has it."""
    return value.grad if value.grad is not None else torch.zeros_like(value)
