"""Folders of people who train by hand: made fit to be a session's, with the runs their logs tell of.

Blocks on the disk; raises OSError, CallError.
"""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

import msgspec

from barista_server.agent import files
from barista_server.agent.compose import unquote, values
from barista_server.agent.errors import CallError
from barista_server.agent.snapshots import pairs_in
from barista_server.agent.store import Command, Folder
from barista_server.agent.tail import Log
from barista_server.agent.verdict import judge
from barista_server.api.messages import NewSession

_LOG = re.compile(r".+\.(log|out|INFO)(\.[\w.-]+)?", re.IGNORECASE)
_OF_SOLVERS = {"base_lr", "lr_policy", "max_iter", "solver_type", "snapshot_prefix"}


def make_fit(folder: Path, base: Path | None, device: str) -> None:
    """Write solver.prototxt and net.prototxt where a folder has them under other names.

    ``base``: where its files come from, if that is on this machine: relative paths start there.
    """
    solver, net = folder / "solver.prototxt", folder / "net.prototxt"
    if solver.is_file() and net.is_file():
        return
    # Imported here: this loads the readers of Caffe's formats.
    from barista_server.agent.creation import draft

    text = _solver_in(folder).read_text("utf-8", "replace")
    named = next((unquote(value.text) for value in values(text) if value.path == "net"), "")
    place, start = _find_net(folder, base, named) if named else (None, base)
    found = place.read_text("utf-8", "replace") if place else ""
    made = draft(NewSession(solver=text, net=found, base=str(start or ""), device=device), folder)
    files.write(solver, made.solver.encode())
    files.write(net, made.net.encode())
    for name, content in made.beside.items():
        (folder / name).parent.mkdir(exist_ok=True)
        files.write(folder / name, content)


def _solver_in(folder: Path) -> Path:
    """The one solver there is."""
    texts = sorted(path for path in folder.glob("*.prototxt") if path.is_file())
    found = [path for path in texts if _is_solver(path)]
    usual = [path for path in found if path.name == "solver.prototxt"]
    if len(found) == 1 or usual:
        return (usual or found)[0]
    if not found:
        hint = "It takes a solver and its net, as .prototxt files; snapshots and logs are welcome."
        raise CallError("invalid", "it is no folder of a training: no solver is in it", hint)
    names = ", ".join(path.name for path in found)
    hint = "Make a session of one of them with: barista new SOLVER.prototxt"
    raise CallError("invalid", f"several solvers are in it: {names}", hint)


def _is_solver(path: Path) -> bool:
    names = {value.path for value in values(path.read_text("utf-8", "replace"))}
    return bool(names & _OF_SOLVERS)


def _find_net(folder: Path, base: Path | None, named: str) -> tuple[Path, Path | None]:
    """The net that a solver names, and the folder its relative paths start from."""
    if (folder / Path(named).name).is_file():
        there = (start for start in _starts(base) if (start / named).is_file())
        return folder / Path(named).name, next(there, base)
    for start in _starts(base):
        if (start / named).is_file():
            return start / named, start
    raise CallError("not-found", f'its solver names the net "{named}", which is not in it', "Put it there.")


def _starts(base: Path | None) -> list[Path]:
    """Where Caffe may have been started: relative paths of a solver start there."""
    return [base, *base.parents] if base else []


def own_models(folder: Path) -> list[str]:
    """Have each solver state name the model beside it: Caffe reads the one it names. What was changed."""
    from barista_server.caffe.model_file import StateFile
    from barista_server.caffe.weights import WeightsError, read_state, write_state

    changed = []
    for pair in pairs_in(folder):
        try:
            with StateFile(pair.state) as file:
                named = file.learned_net
            if not named or named == pair.model.name or Path(named).name != pair.model.name:
                continue
            about = pair.state.stat()
            state = read_state(pair.state)
            state.learned_net = pair.model.name
            write_state(pair.state, state, "hdf5" if pair.state.suffix == ".h5" else "binary")
            os.utime(pair.state, ns=(about.st_atime_ns, about.st_mtime_ns))
        except WeightsError:
            # A damaged one is skipped at the start, and said.
            continue
        changed.append(f"{pair.state.name} named {named}, and names the model beside it now")
    return changed


def take_logs(folder: Path) -> list[str]:
    """Logs of trainings by hand become runs, in the order in which they ended. What was taken."""
    found = [path for path in folder.iterdir() if _LOG.fullmatch(path.name) and path.is_file()]
    taken = []
    for path in sorted(found, key=lambda one: one.stat().st_mtime_ns):
        name = path.name
        if _take_log(folder, path):
            taken.append(f"{name} is a run now")
    return taken


def _take_log(folder: Path, path: Path) -> bool:
    about = path.stat()
    log = Log(path, about.st_mtime)
    while log.grow():
        pass
    log.parser.finish()
    run, facts = log.parser.run, log.facts()
    if run is None or not facts.began or run.kind != "train":
        return False
    home = Folder(folder)
    own = home.new_run()
    command = Command([], str(folder), {}, secrets.token_hex(16), resumed_from=run.resume_iteration)
    files.write_json(own / "command.json", command)
    path.rename(own / "caffe.log")
    begun = about.st_mtime - log.parser.seconds if log.parser.seconds > 0 else about.st_mtime
    os.utime(own / "command.json", (begun, begun))
    written = [pair.iteration for pair in pairs_in(folder) if _written(pair.stamp(), begun, about.st_mtime)]
    verdict = judge(None, facts, max(written, default=None), facts.max_iter or 1 << 62, told=True)
    number = int(own.name)
    home.note("run started", run=number, resumed_from=run.resume_iteration)
    told = {"verdict": msgspec.to_builtins(verdict), "facts": msgspec.to_builtins(facts)}
    home.note("run ended", run=number, **told)
    return True


def _written(stamp: tuple[int, int, int, int], begin: float, end: float) -> bool:
    """Between two times, give or take a second."""
    return begin - 1 <= max(stamp[1], stamp[3]) / 1e9 <= end + 1
