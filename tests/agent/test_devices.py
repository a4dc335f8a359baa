"""Facts on devices: NVML is played by an object of its functions, as no machine of ours need have a card."""

from __future__ import annotations

import getpass
import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from barista_server.agent.devices import Cards, held_by_others, processor, visible
from barista_server.agent.freemem import free_memory
from barista_server.agent.graphics import devices_of
from barista_server.api.messages import (
    DeviceInfo,
    Holder,
    ListDevices,
    ListQueue,
    MoveInQueue,
    QueueSession,
    SetSlots,
    UnqueueSession,
    only_looks,
)

GB = 1 << 30


class Absent(Exception):
    """NVMLError."""


class Library:
    """Two cards of 16 GB; on the second this process has 2 GB and one of nobody knows whom 9 GB."""

    NVMLError = Absent
    NVML_TEMPERATURE_GPU = 0

    def __init__(self) -> None:
        self.inits = 0
        self.broken = False

    def nvmlInit(self) -> None:
        self.inits += 1
        if self.broken:
            raise Absent

    def nvmlDeviceGetCount(self) -> int:
        if self.broken:
            raise Absent
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        return index

    def nvmlDeviceGetUUID(self, card: int) -> str:
        return ("GPU-8d4e", "GPU-1f00")[card]

    def nvmlDeviceGetName(self, card: int) -> bytes:
        return b"NVIDIA T4"

    def nvmlDeviceGetMemoryInfo(self, card: int) -> Any:
        return SimpleNamespace(total=16 * GB, free=(16 - 11 * card) * GB)

    def nvmlDeviceGetUtilizationRates(self, card: int) -> Any:
        if card == 0:
            raise Absent
        return SimpleNamespace(gpu=93)

    def nvmlDeviceGetTemperature(self, card: int, which: int) -> int:
        return 40 + card

    def nvmlDeviceGetComputeRunningProcesses(self, card: int) -> list[Any]:
        mine = SimpleNamespace(pid=os.getpid(), usedGpuMemory=2 * GB)
        return [mine, SimpleNamespace(pid=1 << 30, usedGpuMemory=9 * GB)] if card else []

    def nvmlDeviceGetGraphicsRunningProcesses(self, card: int) -> list[Any]:
        raise Absent


def test_cards_with_what_nvml_tells() -> None:
    first, second = Cards({}, Library()).look({os.getppid(): "7"})
    assert first == DeviceInfo(
        id="0", model="NVIDIA T4", memory_free=16 * GB, memory_total=16 * GB, temperature=40
    )
    assert (second.utilisation, second.temperature, second.memory_free) == (93.0, 41, 5 * GB)
    mine, other = second.holders
    # Ours is known by a process above it.
    assert (mine.pid, mine.session, mine.memory) == (os.getpid(), "7", 2 * GB)
    assert mine.user == getpass.getuser() and mine.name
    assert other == Holder(pid=1 << 30, memory=9 * GB)


def test_numbers_are_those_of_cuda_visible_devices() -> None:
    (only,) = Cards({"CUDA_VISIBLE_DEVICES": "1"}, Library()).look({})
    assert (only.id, only.utilisation) == ("0", 93.0)
    assert Cards({"CUDA_VISIBLE_DEVICES": "-1"}, Library()).look({}) == []
    # Where caffe runs on another machine, the cards of this one do not matter.
    assert Cards({"BARISTA_GPUS": "3"}, Library()).look({}) == [DeviceInfo(id=each) for each in "012"]


@pytest.mark.parametrize(
    ("told", "chosen"),
    [
        (None, [0, 1, 2]),
        ("2,0", [2, 0]),
        ("", []),
        ("1,9,0", [1]),
        ("1,1", [1]),
        ("GPU-b", [1]),
        ("GPU-", []),
        ("GPU-c, 0", [2, 0]),
        ("-1,0", []),
    ],
)
def test_visible_cards_as_cuda_counts_them(told: str | None, chosen: list[int]) -> None:
    assert visible(["GPU-aa", "GPU-bb", "GPU-cc"], told) == chosen


def test_a_driver_that_goes_and_comes_back() -> None:
    library = Library()
    cards = Cards({}, library)
    assert len(cards.look({})) == 2 and library.inits == 1
    library.broken = True
    assert cards.look({}) == [] == cards.look({})
    library.broken = False
    assert len(cards.look({})) == 2


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="there is a driver")
def test_without_a_driver_it_says_so_at_once() -> None:
    cards = Cards({"CUDA_VISIBLE_DEVICES": ""})
    cards.look({})
    began = time.perf_counter()
    assert cards.look({}) == []
    assert time.perf_counter() - began < 0.1


def card(used: int, *holders: Holder) -> DeviceInfo:
    return DeviceInfo(id="1", memory_free=(16 - used) * GB, memory_total=16 * GB, holders=list(holders))


@pytest.mark.parametrize(
    ("device", "why"),
    [
        (card(8), ""),
        (card(9), "GPU 1 is held by others"),
        (card(9, Holder(pid=1, user="alice", memory=9 * GB)), "GPU 1 is held by alice"),
        (card(12, Holder(pid=1, session="3", memory=6 * GB)), ""),
        (
            card(15, Holder(pid=1, session="3", memory=6 * GB), Holder(pid=2, user="bob")),
            "GPU 1 is held by bob",
        ),
        # What ours has is not told: nobody can say what the others have.
        (card(15, Holder(pid=1, session="3")), ""),
        (DeviceInfo(id="0"), ""),
    ],
)
def test_a_card_of_which_others_hold_more_than_half_is_busy(device: DeviceInfo, why: str) -> None:
    assert held_by_others(device) == why


def test_the_processor_with_memory_and_disk(tmp_path: Path) -> None:
    found = processor(tmp_path)
    assert found.id == "cpu" and found.cores >= 1 and found.load is not None
    assert found.utilisation is not None and 0 <= found.utilisation <= 100
    assert found.memory_total and found.memory_free and 0 < found.memory_free <= found.memory_total
    assert found.disk_total and found.disk_free is not None and found.disk_free <= found.disk_total


def test_a_choice_as_single_devices() -> None:
    assert devices_of("cpu", ["0"]) == ("cpu",)
    assert devices_of("0, 2", []) == ("0", "2")
    assert devices_of("all", ["0", "1"]) == ("0", "1")
    assert devices_of("all", []) == ("0",)


def test_free_memory_is_that_of_the_kernel_and_of_the_visible_cards() -> None:
    for environ, gpus in (
        ({}, {"0": 16 * GB, "1": 5 * GB}),
        ({"CUDA_VISIBLE_DEVICES": "1"}, {"0": 5 * GB}),
        ({"BARISTA_GPUS": "2"}, {}),
    ):
        found = free_memory(Cards(environ, Library()))
        assert 0 < found.pop("cpu") < 1 << 50 and found == gpus


def test_who_may_look_sees_queue_and_devices_and_changes_nothing() -> None:
    assert only_looks(ListQueue()) and only_looks(ListDevices())
    for call in (
        QueueSession(session="1"),
        UnqueueSession(session="1"),
        MoveInQueue(session="1", where="up"),
        SetSlots(device="cpu", slots=2),
    ):
        assert not only_looks(call)
