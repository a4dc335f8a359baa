"""Runs an executable a few times in a folder of its own, to see what it is. What that means: verdict.py."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import shutil
import signal
import sys
import tempfile
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

from barista_server.agent import process
from barista_server.agent.builds.outcome import EMBEDDED_SAYS, Outcome, Tries

LONGEST = 60.0
"""Seconds that one start may take: of a container, mostly."""
MOST = 1 << 20
"""Bytes of output that are read; who says more is no caffe."""
AFTER = 5.0
"""Seconds that a killed one may take to be gone."""
SOLVER = """net: "net.prototxt"
base_lr: 0.01
lr_policy: "fixed"
max_iter: 1
display: 1
snapshot_prefix: "trial"
solver_mode: CPU
"""
# In the format of 2013: each caffe since then reads it.
NET = """name: "trial"
layers {
  name: "data" type: DUMMY_DATA top: "data" top: "label"
  dummy_data_param { num: 1 num: 1 channels: 4 channels: 1 height: 1 height: 1 width: 1 width: 1 }
}
layers { name: "ip" type: INNER_PRODUCT bottom: "data" top: "ip" inner_product_param { num_output: 1 } }
layers { name: "loss" type: EUCLIDEAN_LOSS bottom: "ip" bottom: "label" top: "loss" }
"""
# No caffe has it; most answer with the types that they have.
STRANGE = 'layer { name: "strange" type: "NoSuchLayer" top: "strange" }\n'
WROTE = "trial_iter_1.solverstate"
"""What a training of one iteration leaves in its folder (HDF5 adds ``.h5``)."""


class _TooMuch(Exception):
    """It does not end to talk."""


async def try_out(argv: list[str], folder: Path, longest: float = LONGEST) -> Tries:
    """Start it up to five times: for its version, a training of one iteration, and then, if it trains, its
    layer types, its usage, its devices. ``folder`` is where that happens; it is made, and removed.

    Cards are hidden from it, so that those of others are left alone. Raises OSError if there is no room.
    """
    async with _workshop(folder) as place:
        version = await start([*argv, "--version"], place, longest)
        if version.error is not None or version.late:
            return Tries(version=version, missing=await missing_libraries(argv))
        trained = await start([*argv, "train", "--solver=solver.prototxt"], place, longest)
        # A build that cannot do without a card may have one, as a training would.
        if "cudaSuccess" in trained.err:
            trained = await start([*argv, "train", "--solver=solver.prototxt"], place, longest, cards=True)
        wrote = any(place.glob(WROTE + "*"))
        if not wrote:
            return Tries(version, trained, missing=await missing_libraries(argv))
        devices = await start([*argv, "device_query", "--gpu=0"], place, longest)
        if EMBEDDED_SAYS in version.out:
            # What kind it is has been said, and each of its starts takes seconds.
            return Tries(version, trained, wrote, devices=devices)
        await asyncio.to_thread((place / "net.prototxt").write_text, STRANGE)
        layers = await start([*argv, "train", "--solver=solver.prototxt"], place, longest)
        usage = await start(argv, place, longest)
        return Tries(version, trained, wrote, layers, usage, devices)


@contextlib.asynccontextmanager
async def _workshop(folder: Path) -> AsyncIterator[Path]:
    """A folder with a tiny solver and net. Below the root, since that is what containers can see."""

    def make() -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        place = Path(tempfile.mkdtemp(dir=folder, prefix="trial-"))
        (place / "solver.prototxt").write_text(SOLVER)
        (place / "net.prototxt").write_text(NET)
        return place

    place = await asyncio.to_thread(make)
    try:
        yield place
    finally:
        await asyncio.to_thread(_clear, place)


def _clear(place: Path) -> None:
    shutil.rmtree(place, ignore_errors=True)
    # Another one may be tried there just now.
    with contextlib.suppress(OSError):
        place.parent.rmdir()


async def start(argv: list[str], place: Path, longest: float, cards: bool = False) -> Outcome:
    """One start, to its end: it and all that it started is killed when its time is over, or its words too
    many.
    """
    nonce = uuid.uuid4().hex
    environment = {**os.environ, process.NONCE: nonce}
    if not cards:
        environment["CUDA_VISIBLE_DEVICES"] = ""
    async with _ear() as (out, out_end), _ear() as (err, err_end):
        try:
            started = await asyncio.create_subprocess_exec(
                *argv,
                cwd=place,
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out_end,
                stderr=err_end,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            return Outcome(error=getattr(error, "errno", None) or 0, err=str(error))
        finally:
            os.close(out_end)
            os.close(err_end)
        _confine(started.pid, longest)
        said = (bytearray(), bytearray())
        whole = late = False
        try:
            async with asyncio.timeout(longest):
                whole = await _listen((out, err), said)
                if whole:
                    await started.wait()
        except TimeoutError:
            late = True
        finally:
            await _end(started, nonce, tidy=whole and not late)
    words = [bytes(each).decode(errors="replace") for each in said]
    return Outcome(started.returncode, out=words[0], err=words[1], late=late)


@contextlib.asynccontextmanager
async def _ear() -> AsyncIterator[tuple[asyncio.StreamReader, int]]:
    """What is said into a pipe, and the descriptor of its other end, to be closed by the caller.

    Closed here afterwards, whoever holds that end still: who goes on talking into it is ended by that.
    """
    here, there = os.pipe()
    heard = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    transport, _ = await loop.connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(heard), os.fdopen(here, "rb", 0)
    )
    try:
        yield heard, there
    finally:
        transport.close()


def _confine(pid: int, longest: float) -> None:
    """No core files, for some of these are to abort; and no computing for ever should the agent die."""
    with contextlib.suppress(OSError, AttributeError):
        resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))
        seconds = int(longest * (os.cpu_count() or 1)) + 1
        resource.prlimit(pid, resource.RLIMIT_CPU, (seconds, seconds))


async def _listen(ears: tuple[asyncio.StreamReader, ...], said: tuple[bytearray, ...]) -> bool:
    """Until all has been said; False: it is too much."""
    try:
        async with asyncio.TaskGroup() as both:
            for ear, into in zip(ears, said, strict=True):
                both.create_task(_read(ear, into))
    except* _TooMuch:
        pass
    return all(len(each) <= MOST for each in said)


async def _read(stream: asyncio.StreamReader, into: bytearray) -> None:
    while data := await stream.read(1 << 16):
        into += data
        if len(into) > MOST:
            raise _TooMuch


async def _end(started: asyncio.subprocess.Process, nonce: str, tidy: bool) -> None:
    """Kill it and all in its group; and what has left that, unless it came to its end by itself."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(started.pid, signal.SIGKILL)
    if not tidy and sys.platform == "linux":
        await asyncio.to_thread(_end_marked, nonce)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(AFTER):
            await started.wait()


def _end_marked(nonce: str) -> None:
    # Again, for what was started meanwhile.
    for _ in range(5):
        if not (left := process.marked(nonce)):
            return
        for one in left:
            process.send(one, signal.SIGKILL)


async def missing_libraries(argv: list[str]) -> list[str]:
    """All that the loader does not find; it names but the first by itself. Empty where nobody can tell."""
    program, ldd = shutil.which(argv[0]), shutil.which("ldd")
    if program is None or ldd is None:
        return []
    told = await start([ldd, program], Path("/"), 10.0)
    lines = [line.split() for line in told.out.splitlines() if "=> not found" in line]
    return list(dict.fromkeys(words[0] for words in lines))
