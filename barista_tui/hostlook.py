"""What the host manager says of hosts. Pure: what is known in, text out."""

from __future__ import annotations

from msgspec import Struct
from textual.content import Content

from barista_server.api.messages import CaffeInfo, Defaults, DeviceInfo, Holder, SessionInfo, State
from barista_tui import format as fmt
from barista_tui.format import StateLook
from barista_tui.hosts import CAUSE_WORDS
from barista_tui.store import HostKnown
from barista_tui.widgets.session_list import LINKS

STATE, AGE, RUNNING, AGENT = 18, 5, 4, 8
"""Widths of the columns; name and address share what is left."""
_WORDS = {"connecting": "connecting", "alive": "alive", "silent": "does not answer", "offline": "offline"}


class Offers(Struct):
    """What a host has told of itself; None: not yet."""

    devices: list[DeviceInfo] | None = None
    caffes: list[CaffeInfo] | None = None
    defaults: Defaults | None = None
    problem: str = ""
    """Why it has not."""


class HostLine(Struct, frozen=True):
    """One host of the table; ``agent``: version of the agent there, empty while it is not known."""

    known: HostKnown
    address: str
    agent: str = ""


def look(host: HostKnown) -> StateLook:
    """Glyph, word and tone of where its link stands."""
    glyph, tone = LINKS[host.link.state]
    word = CAUSE_WORDS[host.link.cause or "dead"] if host.link.state == "lost" else _WORDS[host.link.state]
    if host.alive and host.role == "viewer":
        word = "alive, viewer"
    return StateLook(glyph, word, tone)


def running(host: HostKnown) -> int:
    """Trainings that run there, as far as is known."""
    return sum(each.state is State.RUNNING and each.kind != "log" for each in host.sessions.values())


def _widths(width: int) -> tuple[int, int]:
    left = max(14, width - (STATE + AGE + RUNNING + AGENT + 5))
    name = max(7, min(20, left * 2 // 5))
    return name, left - name


def heading(width: int) -> str:
    """The titles of the columns."""
    name, address = _widths(width)
    cells = [
        fmt.fit("NAME", name),
        fmt.fit("ADDRESS", address),
        fmt.fit("STATE", STATE),
        fmt.fit("SINCE", AGE, True),
        fmt.fit("RUNS", RUNNING, True),
        fmt.fit("AGENT", AGENT),
    ]
    return " ".join(cells)


def row(line: HostLine, now: float, width: int) -> Content:
    """A host in so many cells."""
    host, (name, address) = line.known, _widths(width)
    state = look(host)
    tone = "$dim" if state.tone == "dim" else color(state.tone)
    runs = running(host)
    return Content.assemble(
        (fmt.fit(host.name, name) + " ", "$foreground"),
        (fmt.fit(line.address, address) + " ", "$dim"),
        (fmt.fit(f"{state.glyph} {state.word}", STATE) + " ", tone),
        (fmt.fit(fmt.age(now - host.link.since) if host.link.since else "", AGE, True) + " ", "$dim"),
        (fmt.fit(str(runs) if host.epoch or host.sessions else "", RUNNING, True) + " ", "$foreground"),
        (fmt.fit(line.agent, AGENT), "$dim"),
    )


def color(tone: str) -> str:
    """The theme's variable for a tone."""
    return {"running": "$success", "warning": "$warning", "failed": "$error"}.get(tone, "$dim")


def facts(line: HostLine, now: float, fingerprint: str = "") -> Content:
    """Where its link stands, what is wrong, and what to do about it."""
    host, state = line.known, look(line.known)
    link = host.link
    lines = [Content.assemble((host.name, "bold $accent"), (f"  {line.address}", "$dim"))]
    since = f" for {fmt.age(now - link.since)}" if link.since else ""
    lines.append(Content.styled(f"{state.glyph} {state.word}{since}", color(state.tone)))
    if link.detail:
        lines.append(Content.styled(link.detail, "$error" if link.state == "lost" else "$dim"))
    if fingerprint:
        lines.append(Content.assemble(("fingerprint  ", "$dim"), (fingerprint, "bold $warning")))
    lines += [Content.assemble(("→ ", "$dim"), (each, "$foreground")) for each in _advice(host, now)]
    if not host.alive and host.news is not None:
        lines.append(Content.styled(f"what is known is {fmt.age(now - host.news)} old", "$dim"))
    return Content("\n").join(lines)


def _advice(host: HostKnown, now: float) -> list[str]:
    link = host.link
    if link.state == "offline":
        return ["U links it again"]
    if link.state != "lost":
        return []
    match link.cause:
        case "key-unknown":
            return ["y accepts this key, once; if it changes later, nothing is sent to the host"]
        case "key-changed":
            return ["nothing is sent and nothing is tried again; once the line is out, r connects"]
        case "no-agent":
            return ["I installs the agent there, or shows the commands that do"]
        case "auth-failed":
            return ["have your public key let in there (ssh-copy-id), then r connects"]
    if link.retry_at is not None:
        return [f"tried again in {fmt.duration(max(0.0, link.retry_at - now))}; r connects now"]
    return ["r connects now"]


def devices(found: list[DeviceInfo], sessions: dict[str, SessionInfo]) -> Content:
    """A line a device; below it who holds it; the disk last."""
    lines = [Content.styled("Devices", "$accent")]
    for each in found:
        name = device_name(each.id)
        lines.append(Content.assemble((fmt.fit(name, 7), "$foreground"), (_measured(each), "$dim")))
        lines += [Content.styled(f"       {words}", "$dim") for words in _holders(each, sessions)]
    lines += [
        Content.assemble((fmt.fit("disk", 7), "$foreground"), (f"{room} free", "$dim"))
        for each in found
        if (room := of(each.disk_free, each.disk_total))
    ]
    return Content("\n").join(lines)


def device_name(id: str) -> str:
    """``CPU``, ``GPU 0``."""
    return "CPU" if id == "cpu" else f"GPU {id}"


def of(free: int | None, total: int | None) -> str:
    """``3.1 GB of 24 GB``; empty where nobody can tell."""
    return "" if free is None or total is None else f"{fmt.size(free)} of {fmt.size(total)}"


def _measured(device: DeviceInfo) -> str:
    memory = of(device.memory_free, device.memory_total)
    words = [
        device.model,
        fmt.plural(device.cores, "core") if device.cores else "",
        f"load {device.load:.1f}" if device.load is not None else "",
        f"{device.utilisation:.0f} % used" if device.utilisation is not None else "",
        f"{device.temperature} °C" if device.temperature is not None else "",
        f"{memory} free" if memory else "",
        {0: "the queue starts none", 1: ""}.get(device.slots, f"{device.slots} at a time"),
    ]
    return ", ".join(filter(None, words))


def _holders(device: DeviceInfo, sessions: dict[str, SessionInfo]) -> list[str]:
    def called(id: str) -> str:
        return f"{id} {sessions[id].name}" if id in sessions else f"session {id}"

    lines = [f"▶ {called(id)}" for id in device.sessions]
    lines += [_process(one) for one in device.holders if one.session not in device.sessions]
    return lines + ([f"left alone by the queue: {device.busy}"] if device.busy else [])


def _process(one: Holder) -> str:
    memory = fmt.size(one.memory) if one.memory is not None else ""
    return ", ".join(filter(None, [f"pid {one.pid} {one.name}".rstrip(), one.user, memory]))


def caffe_choices(found: list[CaffeInfo], chosen: str) -> list[tuple[str, str]]:
    """Words and value of what can be the default; the chosen one even if it is gone."""
    usable = [each for each in found if each.problem is None]
    choices = [("the first that trains", "")]
    choices += [(f"{each.name}  {fmt.caffe_words(each)}".strip(), each.name) for each in usable]
    if chosen and chosen not in {each.name for each in usable}:
        choices.append((f"{chosen}  (not usable now)", chosen))
    return choices


def device_choices(found: list[DeviceInfo], chosen: str) -> list[tuple[str, str]]:
    """Words and value of what can be the default; several cards at once where there are several."""
    choices = [
        ("CPU" if each.id == "cpu" else f"GPU {each.id}  {each.model}".strip(), each.id) for each in found
    ]
    if sum(each.id != "cpu" for each in found) > 1:
        choices.append(("all GPUs", "all"))
    if chosen and chosen not in {value for _, value in choices}:
        choices.append((chosen, chosen))
    return choices
