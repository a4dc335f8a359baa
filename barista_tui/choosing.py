"""What a person chooses for a session: what can be changed now, and the calls for what was. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct

from barista_server.api.messages import (
    AutoResume,
    CaffeInfo,
    ConfigureSession,
    Defaults,
    DeviceInfo,
    LauncherName,
    QueueSession,
    SessionInfo,
    SetDefaults,
    SlurmOptions,
    State,
    UnqueueSession,
)
from barista_server.api.text import clean_name
from barista_tui import format as fmt
from barista_tui.hostlook import of
from barista_tui.hosts import LOCAL

Choices = list[tuple[str, str]]
"""Words and value of a drop-down."""
RESUMES: tuple[tuple[str, AutoResume], ...] = (
    ("never by itself", "off"),
    ("after a reboot of the host, or when its caffe vanished", "on"),
    ("then, and after a signal or for want of memory", "crash"),
)
OTHERS = "..."
"""Value of the choice to type devices."""
ENDS: Choices = [("is Finished", ""), ("is over in any way", "any")]


class Wish(Struct, frozen=True):
    """All that can be chosen for a session."""

    caffe: str
    device: str
    launcher: LauncherName
    slurm: SlurmOptions
    auto_resume: AutoResume = "off"
    queued: bool = False
    priority: int = 0
    after: str = ""
    """Id of a session."""
    after_any: bool = False


def wish_of(session: SessionInfo) -> Wish:
    """What holds now."""
    queued = session.queued
    waits = (queued.priority, queued.after, queued.after_any) if queued else (0, "", False)
    return Wish(
        session.caffe,
        session.device,
        session.launcher,
        session.slurm or SlurmOptions(),
        session.auto_resume,
        queued is not None,
        *waits,
    )


def wish_of_defaults(defaults: Defaults) -> Wish:
    """What new sessions of a host get now."""
    slurm = defaults.slurm or SlurmOptions()
    return Wish(defaults.caffe, defaults.device, defaults.launcher, slurm)


def set_defaults(defaults: Defaults, wish: Wish) -> SetDefaults | None:
    """The call for what differs, or None."""
    now = wish_of_defaults(defaults)
    fields = ("caffe", "device", "launcher", "slurm")
    changed = {name: getattr(wish, name) for name in fields if getattr(wish, name) != getattr(now, name)}
    return SetDefaults(**changed) if changed else None


def frozen(session: SessionInfo) -> str | None:
    """Why caffe, device and launcher cannot be changed now, or None."""
    if session.state in (State.RUNNING, State.PAUSING):
        word = fmt.STATES[session.state].word.lower()
        return f"{word}: caffe, device and launcher can be changed once it is paused"
    if session.queued is not None and session.queued.place == 0:
        return "its job waits in Slurm's queue: what it asks for can be changed once it is taken out"
    return None


def queue_frozen(session: SessionInfo, refused: str | None) -> str | None:
    """Why it can be neither put in the queue, nor wait otherwise; ``refused``: why it cannot be put there."""
    if session.queued is not None:
        return (
            "it waits in Slurm's queue, which has an order of its own" if not session.queued.place else None
        )
    return refused


def configure(session: SessionInfo, wish: Wish) -> ConfigureSession | None:
    """The call for what differs but the queue, or None. What is frozen does not count."""
    now = wish_of(session)
    still = frozen(session) is not None
    fields = ("auto_resume",) if still else ("caffe", "device", "launcher", "auto_resume", "slurm")
    changed = {name: getattr(wish, name) for name in fields if getattr(wish, name) != getattr(now, name)}
    if not changed:
        return None
    return ConfigureSession(session=session.id, seen=session.revision or None, **changed)


def queueing(session: SessionInfo, wish: Wish) -> QueueSession | UnqueueSession | None:
    """The call that puts it in the queue, has it wait otherwise, or takes it out; None: as it is."""
    now = wish_of(session)
    if not wish.queued:
        return UnqueueSession(session=session.id) if now.queued else None
    waits = (wish.priority, wish.after, wish.after_any and bool(wish.after))
    if now.queued and waits == (now.priority, now.after, now.after_any):
        return None
    return QueueSession(session.id, *waits)


def likewise(before: Wish, wish: Wish, session: SessionInfo) -> tuple[Wish, str | None]:
    """What another session gets of what was changed for one, and why it does not get all of that."""
    names = [name for name in Wish.__struct_fields__ if getattr(wish, name) != getattr(before, name)]
    changed = {name: getattr(wish, name) for name in names}
    if changed.get("after") == session.id:
        del changed["after"]
    still = frozen(session) if {"caffe", "device", "launcher", "slurm"} & set(changed) else None
    return msgspec.structs.replace(wish_of(session), **changed), still


# ------------------------------------------------------------------------------------------------- words


def caffe_choices(found: Sequence[CaffeInfo], chosen: str) -> Choices:
    """Those that can be chosen, the others with what is wrong; the chosen one even if it is gone."""
    choices = [
        (f"{clean_name(one.name)}  {clean_name(one.problem or fmt.caffe_words(one))}".rstrip(), one.name)
        for one in found
    ]
    if chosen and chosen not in {value for _, value in choices}:
        choices.append(
            (f"{clean_name(chosen)}  (not there any more)" if found else clean_name(chosen), chosen)
        )
    return choices


def launcher_choices(host: str, slurm: bool, chosen: str) -> Choices:
    """A job only where there is Slurm, or where it was chosen."""
    choices = [(f"a process of {'this machine' if host == LOCAL else host}", "process")]
    return choices + [("a job of Slurm", "slurm")] * (slurm or chosen == "slurm")


def after_choices(sessions: Iterable[SessionInfo], mine: str, chosen: str) -> Choices:
    """Those that may be waited for, at work first, the newest before; the chosen one even if it is gone."""
    waited = [State.RUNNING, State.PAUSING, State.QUEUED]
    others = [each for each in sessions if each.id != mine]
    others.sort(key=lambda each: (each.state not in waited, -int(each.id) if each.id.isdecimal() else 0))
    choices = [
        (f"{each.id} {clean_name(each.name)}  {fmt.STATES[each.state].word.lower()}", each.id)
        for each in others
    ]
    if chosen and chosen not in {value for _, value in choices}:
        choices.append((f"{chosen}  (not there any more)", chosen))
    return [("as soon as there is room", ""), *choices]


def device_choices(found: Sequence[DeviceInfo], chosen: str) -> Choices:
    """A line a device, all of them, the chosen one even if it is not there, and a way to type others."""
    choices = [(_device(each), each.id) for each in found]
    if sum(each.id != "cpu" for each in found) > 1:
        choices.append(("all GPUs", "all"))
    if chosen and chosen not in {value for _, value in choices}:
        choices.append((chosen if chosen in ("cpu", "all") else f"GPU {chosen}", chosen))
    return [*choices, ("others, as caffe's --gpu takes them …", OTHERS)]


def _device(one: DeviceInfo) -> str:
    if one.id == "cpu":
        return f"CPU  load {one.load:.1f}" if one.load is not None else "CPU"
    room = of(one.memory_free, one.memory_total)
    words = [
        one.model,
        f"{room} free" if room else "",
        f"{one.utilisation:.0f} % used" if one.utilisation is not None else "",
    ]
    return f"GPU {one.id}  " + ", ".join(filter(None, words))


def options_of(texts: dict[str, str]) -> SlurmOptions:
    """From what stands in the fields of the same names. Raises ValueError with what is wrong."""
    cpus = texts["cpus"]
    if cpus and not (cpus.isascii() and cpus.isdecimal()):
        raise ValueError(f"'{cpus}' is no number of cpus")
    try:
        words = shlex.split(texts["arguments"])
    except ValueError as error:
        raise ValueError(f"the arguments are not whole: {error}") from None
    plain = {name: texts[name] for name in ("partition", "gres", "time", "memory", "account")}
    return SlurmOptions(**plain, cpus=int(cpus or 0), arguments=words)


def texts_of(options: SlurmOptions) -> dict[str, str]:
    """What stands in the fields."""
    texts = {name: str(value or "") for name, value in msgspec.structs.asdict(options).items()}
    return {**texts, "arguments": shlex.join(options.arguments)}


def said(session: SessionInfo) -> str:
    """What holds after a change, in a sentence."""
    words = [f"{clean_name(session.name)} trains with {clean_name(session.caffe)} on {session.device}"]
    if session.launcher == "slurm":
        words.append("as a job of Slurm")
    if session.auto_resume != "off":
        words.append(f"auto-resume {session.auto_resume}")
    if session.queued is not None:
        words.append(f"in the queue: {fmt.queue_words(session)}")
    return ", ".join(words)
