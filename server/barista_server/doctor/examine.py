"""All checks in their order, and what the command prints."""

from __future__ import annotations

import asyncio
import select
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from barista_server.doctor import logout, machine, places, programs, report
from barista_server.doctor.report import Finding

_LOOK = 0.5
"""Seconds between two looks whether somebody still reads."""


def examine(root: Path) -> list[Finding]:
    """Everything but the torture. Blocks for a few seconds."""
    found = [machine.check_python(), places.check_root(root), *places.check_disk(root)]
    found += [places.check_socket(root), *machine.check_identity(), machine.check_subreaper()]
    found += [machine.check_limits(), logout.check_logout(), machine.check_clock()]
    found += asyncio.run(programs.check_caffes(root))
    return [*found, programs.check_cards(), programs.check_slurm()]


def doctor(root: Path, torture: bool, kills: int, as_json: bool) -> int:
    """Print a report; 0: all is well, or there are warnings only. 130 after Ctrl+C."""
    found = examine(root)
    tried: list[Finding] = []
    if not as_json:
        _print(report.lines(found))
    if torture:
        try:
            tried = asyncio.run(_tortured(root, kills))
        except (KeyboardInterrupt, asyncio.CancelledError):
            try:
                print("stopped; everything that was started for the trials has ended", file=sys.stderr)
            except BrokenPipeError:
                pass  # nobody is there to read it
            return 130
        if not as_json:
            _print(["", *report.lines(tried, {"ok": "PASS", "bad": "FAIL"})])
    if as_json:
        _print([report.as_json(found, tried)])
    bad = [one.name for one in (*found, *tried) if one.level == "bad"]
    warned = sum(one.level == "warn" for one in found)
    if not as_json:
        words = f"not well: {', '.join(bad)}" if bad else "all is well"
        _print(["", f"{words}, {warned} warning{'' if warned == 1 else 's'}"])
    return 1 if bad else 0


async def _tortured(root: Path, kills: int) -> list[Finding]:
    from barista_server.doctor.torture import torture

    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGHUP, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)

    def tell(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    watch = asyncio.create_task(_when_nobody_reads(task.cancel))
    try:
        return await torture(root, kills, tell)
    finally:
        watch.cancel()


async def _when_nobody_reads(stop: Callable[[], object]) -> None:
    """Call ``stop`` once whoever read our output is gone: a program, or an SSH connection."""
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)
    while True:
        if any(what & (select.POLLERR | select.POLLHUP) for _, what in poll.poll(0)):
            stop()
            return
        await asyncio.sleep(_LOOK)


def _print(lines: list[str]) -> None:
    print("\n".join(lines), flush=True)
