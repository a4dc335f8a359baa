"""Snapshots of a training: written, restored, and weights taken over from other files."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from barista_engine.errors import CheckFailed
from barista_engine.glog import Glog
from barista_engine.interfaces import Log
from barista_engine.net import Net
from barista_engine.readers import log_upgrade
from barista_engine.solvers import Updater
from barista_server.caffe.hdf5 import Hdf5File, is_hdf5
from barista_server.caffe.model_file import ModelFile, StateFile
from barista_server.caffe.schema import SolverParameter
from barista_server.caffe.weights import State, WeightsError, write_state, write_weights


def check_writable(param: SolverParameter) -> None:
    """Raise CheckFailed unless snapshots, if any are due, can be written under the prefix."""
    if not param.snapshot:
        return
    probe = Path(f"{param.snapshot_prefix}_iter_{random.getrandbits(31)}.tempfile")
    try:
        probe.touch()
        probe.unlink()
    except OSError:
        message = "Make sure that the directory exists and is writable."
        text = f"Cannot write to snapshot prefix '{param.snapshot_prefix}'.  {message}"
        raise CheckFailed(text, "solver.cpp", 448) from None


def write(param: SolverParameter, iteration: int, step: int, net: Net, updater: Updater, log: Glog) -> None:
    """Write ``PREFIX_iter_N.caffemodel[.h5]`` and ``.solverstate[.h5]``; each is announced first."""
    hdf5 = param.snapshot_format == param.HDF5
    form: Literal["binary", "hdf5"] = "hdf5" if hdf5 else "binary"
    kind, ending = ("HDF5", ".h5") if hdf5 else ("binary proto", "")
    model = f"{param.snapshot_prefix}_iter_{iteration}.caffemodel{ending}"
    state = f"{param.snapshot_prefix}_iter_{iteration}.solverstate{ending}"
    history = [blob.cpu().numpy() for blob in updater.history]
    log.info("solver.cpp:474" if hdf5 else "solver.cpp:464", f"Snapshotting to {kind} file {model}")
    diffs = _steps(net, updater) if param.snapshot_diff else None
    with _saving(model, "weights" if hdf5 else ""):
        write_weights(model, net.to_proto(), net.held(), form, diffs, net.shared())
    place = "sgd_solver.cpp:296" if hdf5 else "sgd_solver.cpp:284"
    log.info(place, f"Snapshotting solver state to {kind} file {state}")
    with _saving(state, "solver state" if hdf5 else ""):
        write_state(state, State(iteration, model, history, step), form)


@contextmanager
def _saving(path: str, hdf5: str) -> Iterator[None]:
    """Tells what goes wrong in Caffe's words; `hdf5`: what is written, "" in the binary form."""
    try:
        yield
    except (OSError, WeightsError) as error:
        if not hdf5:
            failed = "Check failed: proto.SerializeToOstream(&output) ", "io.cpp", 69
        elif isinstance(error, OSError):
            failed = (
                f"Check failed: file_hid >= 0 (-1 vs. 0) Couldn't open {path} to save {hdf5}.",
                "net.cpp",
                862,
            )
        else:
            failed = (
                f"Check failed: layer_data_hid >= 0 (-1 vs. 0) Error saving {hdf5} to {path}.",
                "net.cpp",
                878,
            )
        raise CheckFailed(*failed, str(error)) from None


def _steps(net: Net, updater: Updater) -> dict[str, list[NDArray[np.float32]]]:
    """Layer name -> what the last update took from each of its blobs, from a shared one for every sharer."""
    steps = {id(param): step.cpu().numpy() for param, step in zip(net.learnable, updater.steps, strict=True)}
    return {
        layer.name: [steps[id(param.owner or param)].reshape(param.shape) for param in layer.params]
        for layer in net.layers
    }


def load_weights(net: Net, path: str, log: Log) -> None:
    """Take over the blobs of the layers that `net` and the weight file have in common. Raises CheckFailed."""
    try:
        with ModelFile(path) as model:
            _, notes = model.upgraded()
            log_upgrade(notes, log)
            net.load_weights(model.values(), hdf5=model.is_hdf5)
    except (FileNotFoundError, IsADirectoryError) as error:  # what cannot be looked into passes for HDF5
        raise _not_opened(path, error.strerror or "") from None
    except (OSError, WeightsError) as error:
        if not Path(path).is_file():
            raise _not_opened(path, str(error)) from None
        if not is_hdf5(path):
            message = f"ReadProtoFromBinaryFile(param_file, param) Failed to parse NetParameter file: {path}"
            raise CheckFailed(f"Check failed: {message}", "upgrade_proto.cpp", 97, str(error)) from None
        try:
            Hdf5File(path).close()
        except WeightsError:
            raise _not_opened(path, str(error)) from None
        message = f"Check failed: data_hid >= 0 (-1 vs. 0) Error reading weights from {path}"
        raise CheckFailed(message, "net.cpp", 796, str(error)) from None


def _not_opened(path: str, detail: str) -> CheckFailed:
    message = f"Check failed: file_hid >= 0 (-1 vs. 0) Couldn't open {path}"
    return CheckFailed(message, "net.cpp", 794, detail)


def restore(path: str, net: Net, updater: Updater, log: Glog) -> tuple[int, int]:
    """Restore weights and history from a solver state: its iteration and step counter. Raises CheckFailed."""
    try:
        with StateFile(path) as state:
            if state.learned_net:
                _load_learned(net, state.learned_net, path, log)
            _load_history(updater, state, log)
            return state.iter, state.current_step
    except (OSError, WeightsError) as error:
        if path.endswith(".h5"):
            message = f"Check failed: file_hid >= 0 (-1 vs. 0) Couldn't open solver state file {path}"
            raise CheckFailed(message, "sgd_solver.cpp", 346, str(error)) from None
        if isinstance(error, FileNotFoundError):
            message = f"Check failed: fd != -1 (-1 vs. -1) File not found: {path}"
            raise CheckFailed(message, "io.cpp", 54) from None
        message = "Check failed: ReadProtoFromBinaryFile(filename, proto) "
        raise CheckFailed(message, "io.cpp", 57, str(error)) from None


def _load_learned(net: Net, model: str, state: str, log: Glog) -> None:
    """The weights that a solver state names by the path they were written to."""
    if not Path(model).exists():
        beside = Path(state).with_name(Path(model).name)
        advice = (
            f"It lies beside it: start in {Path(state).parent.resolve()}"
            if beside.exists()
            else ("Start where the snapshot was written, or put the file there")
        )
        detail = (
            f"the weights that {state} names. {advice}; "
            "with --weights instead of --snapshot only weights are taken over"
        )
        if state.endswith(".h5"):
            raise _not_opened(model, detail)
        message = f"Check failed: fd != -1 (-1 vs. -1) File not found: {model}"
        raise CheckFailed(message, "io.cpp", 54, detail)
    load_weights(net, model, log)


def _load_history(updater: Updater, state: StateFile, log: Glog) -> None:
    found, wanted = len(state.history), len(updater.history)
    if found != wanted:
        sizes = f"({found} vs. {wanted})"
        message = f"{sizes} Incorrect length of history blobs."
        message = f"Check failed: state.history_size() == history_.size() {message}"
        raise CheckFailed(message, "sgd_solver.cpp", 334)
    if not state.path.endswith(".h5"):
        log.info("sgd_solver.cpp:336", "SGDSolver: restoring history")
    for index, (blob, saved) in enumerate(zip(updater.history, state.history, strict=True)):
        if saved.count != blob.numel():
            sizes = f"({saved.count} vs. {blob.numel()})"
            message = f"Check failed: count_ == proto.data_size() {sizes} "
            detail = f"history blob {index} of {state.path} does not fit the net"
            raise CheckFailed(message, "blob.cpp", 480, detail)
        blob.copy_(torch.from_numpy(saved.read()).view(blob.shape))
