"""Learning rate policies: the rate of an iteration from the solver's settings."""

from __future__ import annotations

import math

from barista_engine.errors import CheckFailed
from barista_server.caffe.schema import SolverParameter

_SOURCE = "sgd_solver.cpp"


def advance_step(solver: SolverParameter, iteration: int, current_step: int) -> int:
    """The step counter used at `iteration`, from the counter of the iteration before.

    multistep moves on by at most one each iteration, also after a resume; step derives it from the iteration.
    """
    if solver.lr_policy == "step":
        if solver.stepsize <= 0:
            raise CheckFailed(
                f"Check failed: this->param_.stepsize() > 0 ({solver.stepsize} vs. 0) ", _SOURCE, 33
            )
        return iteration // solver.stepsize
    if solver.lr_policy == "multistep":
        values = solver.stepvalue
        return current_step + (current_step < len(values) and iteration >= values[current_step])
    return current_step


def learning_rate(solver: SolverParameter, iteration: int, current_step: int) -> float:
    """Rate of the update made at `iteration` (0-based), `current_step` being what `advance_step` gave.

    Raises CheckFailed for an unknown policy and for settings a policy cannot work with.
    """
    base, gamma, power, policy = solver.base_lr, solver.gamma, solver.power, solver.lr_policy
    if policy in ("step", "exp", "inv", "multistep", "sigmoid") and gamma < 0:
        raise CheckFailed(f"Check failed: this->param_.gamma() >= 0 ({gamma:g} vs. 0) ", _SOURCE, 35)
    if policy == "fixed":
        return base
    if policy in ("step", "multistep"):
        return base * math.pow(gamma, current_step)
    if policy == "exp":
        return base * math.pow(gamma, iteration)
    if policy == "inv":
        return base * math.pow(1.0 + gamma * iteration, -power)
    if policy == "poly":
        return _poly(base, iteration, solver.max_iter, power)
    if policy == "sigmoid":
        return _sigmoid(base, gamma, iteration, solver.stepsize)
    raise CheckFailed(f"Unknown learning rate policy: {policy}", _SOURCE, 67)


def _poly(base: float, iteration: int, max_iter: int, power: float) -> float:
    try:
        return base * math.pow(1.0 - iteration / max_iter, power)
    except ValueError:  # past max_iter C's pow gives nan
        return math.nan


def _sigmoid(base: float, gamma: float, iteration: int, stepsize: int) -> float:
    if stepsize <= 0:
        raise CheckFailed(f"Check failed: this->param_.stepsize() > 0 ({stepsize} vs. 0) ", _SOURCE, 64)
    exponent = -gamma * (iteration - stepsize)
    return base / (1.0 + math.exp(exponent)) if exponent < 700 else 0.0
