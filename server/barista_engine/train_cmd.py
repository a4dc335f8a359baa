"""`caffe train`: flags to solver, signals, resume, and the lines around it."""

from __future__ import annotations

import os

from barista_engine.devices import check_gpus, gpu_name, open_device, parse_gpus
from barista_engine.errors import CheckFailed
from barista_engine.flags import Value
from barista_engine.glog import Glog
from barista_engine.launch import Place, find_place
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
    place = find_place(os.environ)
    if place.rank:
        from barista_engine.follow import follow

        follow(place, str(flags["gpu"]))
    solver_param = read_solver(path, log)
    solver_param.train_state.level = int(flags["level"])
    solver_param.train_state.stage.extend(str(flags["stage"]).split(","))
    if snapshot:
        solver_param.ClearField("weights")
    elif weights:
        solver_param.weights[:] = [weights]
    gpus = _choose_gpus(solver_param, str(flags["gpu"]), log)
    handler = SignalHandler(
        parse_effect(str(flags["sigint_effect"])), parse_effect(str(flags["sighup_effect"]))
    )
    place = _choose_ranks(place, int(flags["ranks"]), gpus)
    _solve(solver_param, place, gpus[0] if gpus else None, snapshot, handler, log)


def _choose_gpus(param: SolverParameter, gpu: str, log: Glog) -> list[int]:
    """The GPUs of this machine to train on, none for the CPU, and what Caffe says about them."""
    if not gpu and param.HasField("solver_mode") and param.solver_mode == param.GPU:
        gpu = str(param.device_id)
    gpus = parse_gpus(gpu)
    if not gpus:
        log.info("caffe.cpp:197", "Use CPU.")
        return gpus
    log.info("caffe.cpp:204", f"Using GPUs {', '.join(map(str, gpus))}")
    for index in gpus:
        if name := gpu_name(index):
            log.info("caffe.cpp:209", f"GPU {index}: {name}")
    param.device_id = gpus[0]
    check_gpus(gpus)
    return gpus


def _choose_ranks(place: Place, ranks: int, gpus: list[int]) -> Place:
    """Rank 0 of as many as were asked for, or started already."""
    if ranks < 0:
        raise CheckFailed(f"Check failed: FLAGS_ranks >= 0 ({ranks} vs. 0)", "caffe.cpp", 215)
    if place.given:
        if ranks not in (0, place.count):
            message = f"--ranks={ranks}, but the environment says WORLD_SIZE={place.count}: leave one away"
            raise CheckFailed(f"Check failed: {message}", "caffe.cpp", 215)
        return place
    count = ranks or max(1, len(gpus))
    if gpus and count != len(gpus):
        message = f"--ranks={count} needs as many GPUs as that, not {len(gpus)}: give them with --gpu"
        raise CheckFailed(f"Check failed: {message}", "caffe.cpp", 215)
    return Place(0, count, 0, count)


def _solve(
    param: SolverParameter, place: Place, gpu: int | None, snapshot: str, handler: SignalHandler, log: Glog
) -> None:
    from barista_engine.lead import lead

    with lead(place, log) as company:  # starts processes, which load torch while this one does
        from barista_engine.train import Solver

        device = open_device(gpu)
        solver = Solver(param, device=device, log=log, requested=handler.requested, ranks=company.ranks)
        try:
            if snapshot:
                log.info("caffe.cpp:235", f"Resuming from {snapshot}")
                solver.restore(snapshot)
            log.info("caffe.cpp:239", "Starting Optimization")
            company.start(solver)
            solver.solve()
            log.info("caffe.cpp:250", "Optimization Done.")
        finally:
            solver.close()
