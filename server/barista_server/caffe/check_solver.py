"""What is wrong with a solver's own settings, beside what Caffe checks when it builds it."""

import os
from collections.abc import Iterator
from pathlib import Path

from barista_server.caffe.faults import Fault
from barista_server.caffe.schema import SolverParameter

_SOLVER_TYPES = ("SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam")
_WITHOUT_MOMENTUM = ("AdaGrad", "RMSProp")
_LR_FIELDS: dict[str, tuple[str, ...]] = {
    "fixed": (),
    "step": ("gamma", "stepsize"),
    "exp": ("gamma",),
    "inv": ("gamma", "power"),
    "multistep": ("gamma", "stepvalue"),
    "poly": ("power",),
    "sigmoid": ("gamma", "stepsize"),
}
_STOPS = {("step", "stepsize"), ("sigmoid", "stepsize")}
"""Fields without which Caffe does not go on with the policy."""


def solver_faults(solver: SolverParameter, folder: Path) -> Iterator[Fault]:
    """Faults that show while Caffe trains, or that it does not mind. The solver is brought up to date."""
    yield from _rate_faults(solver)
    if solver.type not in _SOLVER_TYPES:
        yield Fault("type", f"Unknown solver type: {solver.type}", "one of " + ", ".join(_SOLVER_TYPES))
    if solver.type in _WITHOUT_MOMENTUM and solver.momentum:
        yield Fault("momentum", f"Momentum cannot be used with {solver.type}.", "take momentum out")
    if solver.type == "RMSProp" and not 0 <= solver.rms_decay < 1:
        message = f"rms_decay should lie between 0 and 1, it is {solver.rms_decay:g}"
        yield Fault("rms_decay", message, "rms_decay: 0.99")
    if solver.weight_decay and solver.regularization_type not in ("L1", "L2"):
        message = f"Unknown regularization type: {solver.regularization_type}"
        yield Fault("regularization_type", message, "L1 or L2")
    yield from _prefix_faults(solver.snapshot_prefix, folder)
    if solver.max_iter <= 0:
        message = f"max_iter is {solver.max_iter}: nothing will be trained"
        yield Fault("max_iter", message, severity="warning")
    if solver.test_interval > 0 and not solver.test_iter:
        message = "test_interval without test_iter: nothing will be tested"
        yield Fault("test_interval", message, "add test_iter", "warning")


def _rate_faults(solver: SolverParameter) -> Iterator[Fault]:
    if not solver.HasField("base_lr"):
        message = "base_lr is not set: the learning rate would be 0"
        yield Fault("base_lr", message, "add base_lr: 0.01", "warning")
    fields = _LR_FIELDS.get(solver.lr_policy)
    if fields is None:
        message = f"Unknown learning rate policy: {solver.lr_policy}"
        yield Fault("lr_policy", message, "one of " + ", ".join(_LR_FIELDS))
        return
    given = {field.name for field, _ in solver.ListFields()}
    for name in fields:
        if name not in given:
            message = f"lr_policy '{solver.lr_policy}' needs {name}"
            stops = (solver.lr_policy, name) in _STOPS
            yield Fault("lr_policy", message, f"add {name}", "error" if stops else "warning")
    if "stepsize" in fields and solver.HasField("stepsize") and solver.stepsize <= 0:
        yield Fault(
            "stepsize", f"Check failed: stepsize > 0 ({solver.stepsize} vs. 0)", "a positive stepsize"
        )
    if "gamma" in fields and solver.gamma < 0:
        yield Fault("gamma", f"Check failed: gamma >= 0 ({solver.gamma:g} vs. 0)", "a gamma of 0 or more")


def _prefix_faults(prefix: str, folder: Path) -> Iterator[Fault]:
    directory = Path(folder, prefix).parent
    if not directory.is_dir():
        message = f"directory of snapshot_prefix '{prefix}' does not exist"
        yield Fault("snapshot_prefix", message, f"create {directory}")
    elif not os.access(directory, os.W_OK):
        yield Fault("snapshot_prefix", f"directory {directory} cannot be written", "choose another one")
