"""Memory that a training could have on this machine now."""

from __future__ import annotations

from barista_server.agent.devices import Cards

_CARDS = Cards()


def free_memory(cards: Cards = _CARDS) -> dict[str, int]:
    """Free bytes by device: ``cpu`` (what the kernel would give without swapping), then each GPU's number.

    Blocks. GPUs are those of which NVML tells; none without a driver.
    """
    import psutil

    there = {card.id: card.memory_free for card in cards.look({}) if card.memory_free is not None}
    return {"cpu": psutil.virtual_memory().available, **there}
