"""What an executable is, from what it said when it was tried. Pure, but for the file that is looked into."""

from __future__ import annotations

import errno
import platform
import re
import signal
from pathlib import Path

from barista_server.agent.builds.elf import machine_of, wants
from barista_server.agent.builds.outcome import EMBEDDED_SAYS, Check, Outcome, Tries
from barista_server.api.text import clean_name
from barista_server.caffe.forks import fork_of_types
from barista_server.caffe.log import decode

_VERSION = re.compile(r"\bversion v?(\d[\w.+-]*)")
_NVIDIA = re.compile(r"^0\.1\d(\.\d+)*$")
"""Versions of NVCaffe; BVLC's begin with 1.0, and before 2015 there were none."""
_TYPES = re.compile(r"\(known types: ([\w, ]+)\)")
_FATAL = re.compile(r"^F\d{4}(?:\d{4})? [\d:.]+ +\d+ [^\]]+\] ?(.*)$", re.M)
_GLOG = re.compile(r"^[IWEF]\d{4}(?:\d{4})? \d\d:\d\d:\d\d\.\d+ +\d+ \S+:\d+\]", re.M)
_LIBRARY = re.compile(
    r"error while loading shared libraries: (\S+): cannot open shared object|Library not loaded: (\S+)"
)
_TOO_OLD = re.compile(r"version [`'](\w+_[\d.]+)' not found")
_SYMBOL = re.compile(r"symbol lookup error: .*undefined symbol: (\w+)|[Ss]ymbol not found: (\w+)")
_LIBRARIES = (
    "Install what it was built with, or have the agent started with LD_LIBRARY_PATH set to where that is; "
    "else build caffe anew."
)
_ANEW = "Build caffe on this machine, or on one like it."
_SHELL = "Try it in a shell: what it says there is what a training would say."
_WHERE = "A container must see the folder of the sessions under the same path, and begin in it."


def judge(argv: list[str], tries: Tries, at: float) -> Check:
    """``at``: when it was tried. Its first problem is told, if any."""
    if told := _problem(argv, tries):
        return Check(problem=told[0], hint=told[1], at=at)
    said = tries.version.out + tries.version.err if tries.version.code == 0 else ""
    found = _VERSION.search(said)
    version = found[1] if found else ""
    return Check(kind=_kind(version, said, tries), version=version, gpu=_gpu(tries), at=at)


# --------------------------------------------------------------------------------------------------- problems


def _problem(argv: list[str], tries: Tries) -> tuple[str, str] | None:
    """Why it does not train, and what to do. None: it does."""
    last = tries.trained or tries.version
    if last.error is not None:
        return _not_started(argv, last)
    if last.late:
        return "did not come to its end in time", "See whether it waits for something: try it in a shell."
    if tries.trained is not None and tries.trained.code == 0 and tries.wrote:
        return None
    for outcome in (tries.version, tries.trained):
        if outcome is not None and (told := _not_loaded(argv, outcome, tries.missing)):
            return told
    assert tries.trained is not None
    return _not_trained(tries.trained)


def _not_started(argv: list[str], outcome: Outcome) -> tuple[str, str]:
    program = Path(argv[0])
    if outcome.error == errno.ENOEXEC:
        built, here = machine_of(program), platform.machine()
        if built and built != here:
            return f"is built for {built}, and this machine is {here}", _ANEW
        return "is no program for this machine", "If it is a script, its first line has to name its shell."
    if outcome.error == errno.ENOENT and program.exists():
        loader = wants(program) or "what runs it"
        return f"needs {loader}, which is not there", "Correct its first line, or build it on this machine."
    return f"cannot be started: {clean_name(outcome.err)}", "Correct its path and permissions."


def _not_loaded(argv: list[str], outcome: Outcome, missing: list[str]) -> tuple[str, str] | None:
    """It ended before its first line of its own."""
    if found := _LIBRARY.search(outcome.err):
        names = missing or [found[1] or found[2]]
        word = "libraries" if len(names) > 1 else "library"
        return f"needs the {word} {', '.join(names)}, not found on this machine", _LIBRARIES
    if found := _TOO_OLD.search(outcome.err):
        return f"needs {found[1]}, newer than what this machine has", _ANEW
    if found := _SYMBOL.search(outcome.err):
        name = found[1] or found[2]
        return f"was built with other libraries than those it finds: no symbol {name}", _LIBRARIES
    if outcome.code == -signal.SIGILL or outcome.code == 128 + signal.SIGILL:
        return "uses instructions that this machine's processor does not have", _ANEW
    return None


def _not_trained(outcome: Outcome) -> tuple[str, str]:
    said = outcome.err + "\n" + outcome.out
    if found := _FATAL.search(outcome.err):
        if "solver.prototxt" in found[1] or "net.prototxt" in found[1]:
            return "does not see the folder it is started in", _WHERE
        reason = decode(found[1])
        return f"fails at a training of one iteration: {clean_name(reason.text)}", reason.hint
    if outcome.code == 0 and "Optimization Done" in said:
        return "leaves no snapshot in the folder it is started in", _WHERE
    if _GLOG.search(outcome.err) and outcome.code is not None and outcome.code < 0:
        name = signal.Signals(-outcome.code).name
        return f"fails at a training of one iteration: it ended with {name}", _SHELL
    last = next((line for line in reversed(said.splitlines()) if line.strip()), "")
    words = f": it said “{clean_name(last.strip())[:100]}”" if last else " and says nothing"
    return f"is not caffe, or a wrapper that fails{words}", _SHELL


# ------------------------------------------------------------------------------------------------------ kinds


def _kind(version: str, said: str, tries: Tries) -> str:
    if EMBEDDED_SAYS in said:
        return "embedded"
    devices = _text(tries.devices)
    usage = _text(tries.usage)
    trained = _text(tries.trained)
    if "This is NVCaffe" in trained or _NVIDIA.match(version):
        return "NVCaffe"
    if re.search(r"OpenCL|ViennaCL|GREENTEA", devices + trained):
        return "OpenCL Caffe"
    if re.search(r"^ +(collect|compare) +collects layer data", usage, re.M):
        return "Intel Caffe"
    types = _TYPES.search(_text(tries.layers))
    if types and (fork := fork_of_types(types[1].split(", "))):
        return fork
    # Without that list nothing tells a build of BVLC from one of a fork that only added layers.
    return "BVLC" if types else "Caffe"


def _gpu(tries: Tries) -> bool | None:
    said = _text(tries.devices)
    if EMBEDDED_SAYS in tries.version.out:
        # It does without cards where it finds none, and tells then what PyTorch it runs on.
        return "built without CUDA" not in said if said else None
    if "CPU-only" in said or "CPU_ONLY" in said:
        return False
    if re.search(r"cudaSuccess|CUDA driver|CUDA-capable|Device id: +\d|OpenCL", said):
        return True
    return None


def _text(outcome: Outcome | None) -> str:
    return outcome.out + outcome.err if outcome is not None else ""
