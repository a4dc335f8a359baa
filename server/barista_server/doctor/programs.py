"""What trains: caffes with their versions, graphics cards, Slurm."""

from __future__ import annotations

from pathlib import Path

from barista_server.agent.caffes import Caffes
from barista_server.agent.devices import Cards
from barista_server.api.messages import CaffeInfo
from barista_server.doctor.logout import Run, run
from barista_server.doctor.report import Finding


async def check_caffes(root: Path) -> list[Finding]:
    """Each is run once for its version; one that works is enough."""
    caffes = await Caffes(root, keep=False).check([], again=True)
    works = [one for one in caffes if one.problem is None]
    found = [Finding("caffe", "ok", f"{one.name}: {_what(one)} ({' '.join(one.argv)})") for one in works]
    if not works:
        advice = "Put a caffe on the PATH, or barista caffes add; or pip install 'barista-server[engine]'"
        why = "; ".join(f"{one.name}: {one.problem}" for one in caffes)
        return [Finding("caffe", "bad", f"none that runs ({why})", advice)]
    # The embedded one is no loss where another is; one that a person has named is.
    return found + [
        Finding("caffe", "warn", f"{one.name}: {one.problem}", one.hint or "See: barista caffes")
        for one in caffes
        if one.problem is not None and one.name != "embedded"
    ]


def _what(one: CaffeInfo) -> str:
    cards = {True: ", for graphics cards", False: ", CPU only", None: ""}[one.gpu]
    return f"{one.kind} {one.version}".strip() + cards


def check_cards(cards: Cards | None = None) -> Finding:
    """Graphics cards, by NVML."""
    seen = (cards or Cards()).look({})
    if not seen:
        return Finding("cards", "ok", "no graphics card is seen: trainings run on the CPU")
    told = []
    for one in seen:
        free, total = one.memory_free, one.memory_total
        memory = f", {free / 1e9:.1f} of {total / 1e9:.1f} GB free" if free is not None and total else ""
        told.append(f"{one.id}: {one.model or 'a card'}{memory}")
    if not any(one.model for one in seen):
        advice = "Is the driver loaded (nvidia-smi)? Their memory and load are not shown without NVML."
        return Finding("cards", "warn", f"{len(seen)} there, but NVML does not answer", advice)
    return Finding("cards", "ok", "; ".join(told))


def check_slurm(ask: Run = run) -> Finding:
    """Whether jobs can be handed to Slurm from here."""
    said = ask(["sbatch", "--version"])
    if said is None:
        return Finding("slurm", "ok", "no Slurm is set up here")
    if ask(["scontrol", "ping"]) is None:
        text = f"{said.strip()}, but its controller does not answer"
        return Finding(
            "slurm", "warn", text, "scontrol ping says why; trainings outside Slurm are not concerned."
        )
    return Finding("slurm", "ok", f"{said.strip()}, its controller answers")
