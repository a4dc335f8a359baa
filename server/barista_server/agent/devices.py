"""Facts on the devices of this machine: the CPU with memory and disk by psutil, graphics cards by NVML."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from barista_server.agent.graphics import count_gpus
from barista_server.api.messages import DeviceInfo, Holder

MOMENT = 0.1
"""Seconds over which the CPU's utilisation is taken."""
MUCH = 0.5
"""Part of a card's memory above which processes that are not ours make it busy."""


class Cards:
    """The graphics cards that a caffe started here sees, by the numbers that its ``--gpu`` takes.

    ``nvml`` is the library's module (tests give another). Without driver there are no facts, and it says so
    within a millisecond. Every method blocks.
    """

    def __init__(self, environ: Mapping[str, str] = os.environ, nvml: Any = None) -> None:
        self._environ = environ
        self._nvml = nvml
        self._ready = False

    def look(self, ours: Mapping[int, str]) -> list[DeviceInfo]:
        """One a card. ``ours``: ids of sessions by the pids of their processes."""
        elsewhere = self._environ.get("BARISTA_GPUS", "").isdecimal()
        if not elsewhere and (found := self._by_nvml(ours)):
            return found
        return [DeviceInfo(id=str(number)) for number in range(count_gpus(self._environ) or 0)]

    def _by_nvml(self, ours: Mapping[int, str]) -> list[DeviceInfo]:
        if self._nvml is None:
            # Imported here: an agent that is never asked for devices does without.
            import pynvml  # type: ignore[import-untyped]

            self._nvml = pynvml
        nvml = self._nvml
        try:
            if not self._ready:
                nvml.nvmlInit()
                self._ready = True
            handles = [nvml.nvmlDeviceGetHandleByIndex(each) for each in range(nvml.nvmlDeviceGetCount())]
            uuids = [_text(nvml.nvmlDeviceGetUUID(handle)) for handle in handles]
            chosen = visible(uuids, self._environ.get("CUDA_VISIBLE_DEVICES"))
            return [self._card(str(id_), handles[index], ours) for id_, index in enumerate(chosen)]
        except nvml.NVMLError:
            # No driver, or it was replaced under us: the next look starts anew.
            self._ready = False
            return []

    def _card(self, id_: str, handle: Any, ours: Mapping[int, str]) -> DeviceInfo:
        nvml = self._nvml

        def told(function: str, *arguments: Any) -> Any:
            # Each of these is missing on some card.
            try:
                return getattr(nvml, function)(handle, *arguments)
            except nvml.NVMLError:
                return None

        memory = told("nvmlDeviceGetMemoryInfo")
        rates = told("nvmlDeviceGetUtilizationRates")
        processes = {
            one.pid: one
            for function in ("nvmlDeviceGetGraphicsRunningProcesses", "nvmlDeviceGetComputeRunningProcesses")
            for one in told(function) or []
        }
        return DeviceInfo(
            id=id_,
            model=_text(told("nvmlDeviceGetName") or ""),
            utilisation=float(rates.gpu) if rates else None,
            memory_free=memory.free if memory else None,
            memory_total=memory.total if memory else None,
            temperature=told("nvmlDeviceGetTemperature", nvml.NVML_TEMPERATURE_GPU),
            holders=[_holder(one.pid, one.usedGpuMemory, ours) for one in processes.values()],
        )


def visible(uuids: list[str], told: str | None) -> list[int]:
    """Indexes of the cards that CUDA_VISIBLE_DEVICES names (numbers or beginnings of UUIDs), in its order.

    As CUDA does: all if it is not set, none from the first on that is not there.
    """
    if told is None:
        return list(range(len(uuids)))
    chosen: list[int] = []
    for name in (part.strip() for part in told.split(",")):
        if name.isdecimal():
            found = [int(name)] if int(name) < len(uuids) else []
        else:
            found = [index for index, uuid in enumerate(uuids) if name and uuid.startswith(name)]
        if len(found) != 1 or found[0] in chosen:
            break
        chosen += found
    return chosen


def processor(root: Path) -> DeviceInfo:
    """The CPU, with memory, and the disk that ``root`` lies on. Blocks for MOMENT."""
    memory = psutil.virtual_memory()
    disk = psutil.disk_usage(str(root))
    try:
        cores = len(os.sched_getaffinity(0))
    except (AttributeError, OSError):
        cores = psutil.cpu_count() or 1
    return DeviceInfo(
        id="cpu",
        model=_cpu_model(),
        cores=cores,
        load=psutil.getloadavg()[0],
        utilisation=psutil.cpu_percent(MOMENT),
        memory_free=memory.available,
        memory_total=memory.total,
        disk_free=disk.free,
        disk_total=disk.total,
    )


def held_by_others(card: DeviceInfo) -> str:
    """Why a card is busy with what is none of our sessions; empty where it is not, or nobody can tell."""
    total, free = card.memory_total, card.memory_free
    mine = [one.memory for one in card.holders if one.session]
    if not total or free is None or None in mine:
        return ""
    if total - free - sum(one or 0 for one in mine) <= MUCH * total:
        return ""
    users = sorted({one.user for one in card.holders if one.user and not one.session})
    return f"GPU {card.id} is held by {', '.join(users) or 'others'}"


def _holder(pid: int, memory: int | None, ours: Mapping[int, str]) -> Holder:
    user = name = session = ""
    with contextlib.suppress(psutil.Error, OSError):
        process = psutil.Process(pid)
        family = [pid, *(one.pid for one in process.parents())]
        session = next((ours[one] for one in family if one in ours), "")
        name, user = process.name(), process.username()
    return Holder(pid=pid, user=user, name=name, memory=memory, session=session)


def _cpu_model() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return ""


def _text(told: str | bytes) -> str:
    return told.decode(errors="replace") if isinstance(told, bytes) else told
