"""`caffe train`: flags to solver, signals, resume, and the lines around it."""

from __future__ import annotations

from barista_engine.errors import CheckFailed
from barista_engine.flags import Value
from barista_engine.glog import Glog
from barista_engine.readers import read_solver
from barista_engine.signals import SignalHandler, parse_effect
from barista_server.caffe.schema import SolverParameter


def train(flags: dict[str, Value], log: Glog) -> None:
    """Train or fine-tune as the flags say; returns when finished or stopped. Raises CheckFailed."""
    path, snapshot, weights = str(flags["solver"]), str(flags["snapshot"]), str(flags["weights"])
    if snapshot and weights:
        message = "Give a snapshot to resume training or weights to finetune but not both."
        raise CheckFailed(
            f"Check failed: !FLAGS_snapshot.size() || !FLAGS_weights.size() {message}", "caffe.cpp", 178
        )
    solver_param = read_solver(path, log)
    solver_param.train_state.level = int(flags["level"])
    solver_param.train_state.stage.extend(str(flags["stage"]).split(","))
    if snapshot:
        solver_param.ClearField("weights")
    elif weights:
        solver_param.weights[:] = [weights]
    handler = SignalHandler(
        parse_effect(str(flags["sigint_effect"])), parse_effect(str(flags["sighup_effect"]))
    )
    _solve(solver_param, str(flags["gpu"]), snapshot, handler, log)


def _solve(param: SolverParameter, gpu: str, snapshot: str, handler: SignalHandler, log: Glog) -> None:
    from barista_engine.devices import gpu_name, open_device, parse_gpus
    from barista_engine.train import Solver

    if not gpu and param.HasField("solver_mode") and param.solver_mode == param.GPU:
        gpu = str(param.device_id)
    gpus = parse_gpus(gpu)
    if gpus:
        log.info("caffe.cpp:204", f"Using GPUs {', '.join(map(str, gpus))}")
        for index in gpus:
            if name := gpu_name(index):
                log.info("caffe.cpp:209", f"GPU {index}: {name}")
        param.device_id = gpus[0]
    else:
        log.info("caffe.cpp:197", "Use CPU.")
    solver = Solver(param, device=open_device(gpus), log=log, requested=handler.requested)
    try:
        if snapshot:
            log.info("caffe.cpp:235", f"Resuming from {snapshot}")
            solver.restore(snapshot)
        log.info("caffe.cpp:239", "Starting Optimization")
        solver.solve()
        log.info("caffe.cpp:250", "Optimization Done.")
    finally:
        solver.close()
