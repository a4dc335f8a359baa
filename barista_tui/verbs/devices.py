"""The verb that lists what sessions can train on."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from barista_server.api.messages import DeviceInfo, DeviceList, Holder, ListDevices
from barista_tui import format
from barista_tui.verbs import output
from barista_tui.verbs.agentlink import linked, names_of, target_of
from barista_tui.verbs.errors import Exit


async def devices(args: argparse.Namespace) -> Exit:
    """A row a device; below it who holds it."""
    async with linked(target_of(args)) as link:
        found = (await link.call(ListDevices(), DeviceList)).devices
        names = await names_of(link)
    if args.json:
        output.print_json(found)
        return Exit.OK
    rows = [["DEVICE", "MODEL", "USED", "TEMP", "MEMORY FREE", "TRAINS"], *map(_row, found)]
    below = [[], *(_holding(device, names) for device in found)]
    for cells, lines in zip(output.table(rows, right=(2, 3, 4, 5), wide=1), below, strict=True):
        output.say("  ".join(cells).rstrip())
        for line in lines:
            output.say(f"    {output.one_line(line)}")
    return Exit.OK


def _row(device: DeviceInfo) -> list[str]:
    used = f"{device.utilisation:.0f} %" if device.utilisation is not None else ""
    warm = f"{device.temperature} °C" if device.temperature is not None else ""
    memory = _of(device.memory_free, device.memory_total)
    trains = f"{len(device.sessions)} of {device.slots}"
    return [device.id, output.one_line(device.model), used, warm, memory, trains]


def _of(free: int | None, total: int | None) -> str:
    return "" if free is None or total is None else f"{format.size(free)} of {format.size(total)}"


def _holding(device: DeviceInfo, names: Mapping[str, str]) -> list[str]:
    lines = [f"session {session} {names.get(session, '')}".rstrip() for session in device.sessions]
    lines += [_process(one) for one in device.holders]
    if device.busy:
        lines.append(f"The queue leaves it alone: {device.busy}.")
    if device.cores:
        load = f", load {device.load:.2f}" if device.load is not None else ""
        lines.append(f"{format.plural(device.cores, 'core')}{load}")
    if disk := _of(device.disk_free, device.disk_total):
        lines.append(f"disk: {disk} free")
    return lines


def _process(one: Holder) -> str:
    whose = f"session {one.session}" if one.session else one.user
    memory = format.size(one.memory) if one.memory is not None else ""
    return ", ".join(filter(None, [f"pid {one.pid} {one.name}".rstrip(), whose, memory]))
