"""What can be done now, and if not, why not: the reasons the action table gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from barista_server.api.messages import SessionInfo, State
from barista_tui.format import STATES
from barista_tui.hosts import CAUSE_WORDS, LOCAL
from barista_tui.keynames import key_word
from barista_tui.panes.table import SPECS
from barista_tui.store import Key, LinkState


class Context(Struct, frozen=True):
    """What decides whether an action can be done."""

    session: SessionInfo | None = None
    host: str = LOCAL
    """The selected session's, or the selected one itself."""
    link: LinkState = field(default_factory=LinkState)
    """Where its link stands."""
    viewer: bool = False
    """Its agent lets this person look, and no more."""
    lost: bool = False
    """The link to some host is lost."""
    key_unknown: bool = False
    """Some host's key waits to be accepted."""
    any_alive: bool = False
    """Some host can be asked to make something."""
    elsewhere: bool = False
    """A host other than this one can be asked to take something."""
    several: bool = False
    """There are other hosts than this one."""
    pane: str = "sessions"
    """The one with the focus."""
    shown: frozenset[str] = frozenset({"sessions", "plot", "console"})
    """Those that can be seen."""
    wide: bool = True
    docked: bool = True
    """The console has a place of its own."""
    facts: Mapping[str, object] = field(default_factory=dict)
    """What visible panes say of themselves, by name: their own actions decide by it."""
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Keys of actions that the person chose, where they are not those of the table."""
    marked: tuple[Key, ...] = ()
    """Sessions that were marked to be looked at together."""
    can_undo: bool = False
    filtered: bool = False
    grouped: bool = False
    hidden: bool = False
    """Some sessions are not shown."""
    project: str = ""
    """The name of the project that is open."""
    queue_length: int = 0
    working: bool = False
    """There is long work in the tray."""

    def key(self, action: str, usual: str) -> str:
        """The key that the person has for an action, for a sentence: ``usual`` unless it was changed."""
        keys = self.keys.get(action, (usual,))
        return key_word(keys[0]) if keys else f"the menu ({action})"

    def fact(self, pane: str, name: str, otherwise: Any = False) -> Any:
        """What a pane says of itself; ``otherwise`` where it was not opened yet."""
        return getattr(self.facts.get(pane), name, otherwise)


class PlotFacts(Struct, frozen=True):
    """What the plot's actions decide by."""

    curves: int = 0
    right: bool = False
    """Some curve has the right axis."""
    clock: bool = False
    """The x axis is the time of day."""
    best: bool = False
    """The curve under the cursor has a best value."""


STARTABLE = {State.WAITING, State.PAUSED, State.PRETRAINED, State.INTERRUPTED, State.FAILED, State.FINISHED}
ACTIVE = {State.RUNNING, State.PAUSING, State.QUEUED}


def needs_agent(context: Context) -> str | None:
    """Anything the agent must do."""
    match context.link.state:
        case "alive":
            return (
                "you may only look there: ask its owner for a key with more rights"
                if context.viewer
                else None
            )
        case "silent":
            return "the agent does not answer: wait, or see what became of it"
        case "offline":
            return f"{context.host} is offline: press {context.key('link', 'U')} to connect it"
    match context.link.cause:
        case "key-unknown":
            return f"the key of {context.host} is not known: press {context.key('hosts', 'f3')} to accept it"
        case "key-changed":
            return f"the key of {context.host} has CHANGED: see the notices ({context.key('source', 'v')})"
        case "no-agent":
            return f"{context.host} has no agent: {context.key('hosts', 'f3')}, then I installs it"
        case "auth-failed":
            why = CAUSE_WORDS[context.link.cause]
            return f"{context.host}: {why}, see the notices ({context.key('source', 'v')})"
    return f"not connected: wait, or press {context.key('reconnect', 'C')} to connect now"


def needs_connected(context: Context) -> str | None:
    """Anything that is asked of the host, by one who may only look, too."""
    return needs_agent(replace(context, viewer=False))


def needs_any_agent(context: Context) -> str | None:
    """What any host can do."""
    return None if context.any_alive else needs_agent(context)


def needs_session(context: Context) -> str | None:
    """Anything done to the selected session."""
    return needs_agent(context) or (
        None if context.session else f"no session is selected: press {context.key('new', 'n')} to make one"
    )


def needs_selection(context: Context) -> str | None:
    """Anything that looks at the selected session, connected or not."""
    return None if context.session else "no session is selected"


def _only_watched(session: SessionInfo) -> str | None:
    """What caffe does to an imported log is somebody else's."""
    return "an imported log: only watched" if session.kind == "log" else None


def _state_word(session: SessionInfo) -> str:
    return STATES[session.state].word.lower()


def can_toggle(context: Context) -> str | None:
    """Start, go on or pause."""
    if refused := needs_session(context):
        return refused
    session = context.session
    assert session is not None
    if watched := _only_watched(session):
        return watched
    if session.state is State.INVALID:
        return f"invalid: press {context.key('open', 'enter')} for the reasons"
    if session.state is State.FINISHED and 0 < session.max_iter <= session.iteration:
        return f"finished: raise max_iter in solver.prototxt, or reset with {context.key('reset', 'R')}"
    return None


def can_set(context: Context) -> str | None:
    """Choose what it trains with; what of that is frozen the dialog tells."""
    if refused := needs_session(context):
        return refused
    assert context.session is not None
    return _only_watched(context.session)


def can_queue(context: Context) -> str | None:
    """Wait for room, or wait no more."""
    if refused := needs_session(context):
        return refused
    session = context.session
    assert session is not None
    if session.queued is not None:
        return None
    if session.state in (State.RUNNING, State.PAUSING):
        return f"{_state_word(session)} already"
    return can_toggle(context)


def can_move_up(context: Context) -> str | None:
    """Another place in the queue."""
    return _not_queued(context) or _at(context, 1, "next already")


def can_move_down(context: Context) -> str | None:
    """Another place in the queue."""
    return _not_queued(context) or _at(context, context.queue_length, "the last already")


def _not_queued(context: Context) -> str | None:
    if refused := needs_session(context):
        return refused
    queued = context.session is not None and context.session.queued is not None
    return None if queued else f"not in the queue: {context.key('queue', 'Q')} puts it there"


def _at(context: Context, place: int, why: str) -> str | None:
    queued = context.session.queued if context.session else None
    return why if queued is not None and queued.place == place else None


def can_force(context: Context) -> str | None:
    """Stop a process that does not react."""
    if refused := needs_session(context):
        return refused
    session = context.session
    assert session is not None
    if watched := _only_watched(session):
        return watched
    return None if session.state is State.PAUSING else f"{_state_word(session)}: pause first"


def can_snapshot(context: Context) -> str | None:
    """A snapshot needs a running process."""
    if refused := needs_session(context):
        return refused
    session = context.session
    assert session is not None
    if watched := _only_watched(session):
        return watched
    return None if session.state is State.RUNNING else f"{_state_word(session)}: only a running session can"


def can_remove(context: Context) -> str | None:
    """Delete and reset need a session at rest; of an imported log only the entry goes."""
    if refused := needs_session(context):
        return refused
    session = context.session
    assert session is not None
    if session.state is State.QUEUED and session.kind != "log":
        return f"queued: take it out with {context.key('queue', 'Q')} first"
    at_work = session.state in ACTIVE and session.kind != "log"
    return f"{_state_word(session)}: pause first" if at_work else None


def can_reset(context: Context) -> str | None:
    """There must be something to throw away."""
    if refused := can_remove(context):
        return refused
    session = context.session
    assert session is not None
    if watched := _only_watched(session):
        return watched
    return None if session.runs or session.snapshots else "nothing to throw away yet"


def has_settings(context: Context) -> str | None:
    """What looks at net and solver of the selected session."""
    if context.session is None:
        return needs_selection(context)
    return "an imported log has no net and solver" if context.session.kind == "log" else None


def can_clone(context: Context) -> str | None:
    """Whatever has net and solver."""
    if refused := needs_session(context):
        return refused
    assert context.session is not None
    return _only_watched(context.session)


def can_resume_from(context: Context) -> str | None:
    """Start from the snapshot that is chosen in their pane."""
    if refused := needs_session(context):
        return refused
    session = context.session
    assert session is not None
    if watched := _only_watched(session):
        return watched
    if context.facts.get("snapshots") is None:
        return "no snapshot is chosen"
    return None if session.state in STARTABLE else f"{_state_word(session)}: pause first"


def can_undo(context: Context) -> str | None:
    """Only what this screen deleted or reset; what went earlier is brought back from the trash."""
    return None if context.can_undo else "nothing was deleted or reset from here; see the trash"


def cause_line(session: SessionInfo) -> int | None:
    """The line of the last run's log that tells why it failed, 1-based."""
    return next((each.log_line for each in session.problems if each.log_line is not None), None)


def needs_cause(context: Context) -> str | None:
    """Only a failure has a line in the log."""
    session = context.session
    if session is None or cause_line(session) is None:
        return "no line of the log tells about a failure"
    return None


def needs_pane(context: Context, name: str) -> str | None:
    """What is done to a pane."""
    spec = SPECS[name]
    return (
        None
        if name in context.shown
        else f"open the {spec.title.lower()} first: {context.key(name, spec.key)}"
    )


def needs_plot(context: Context) -> str | None:
    """What is done to the plot."""
    return needs_pane(context, "plot")


def plot_facts(context: Context) -> PlotFacts:
    """What the plot says of itself."""
    facts = context.facts.get("plot")
    return facts if isinstance(facts, PlotFacts) else PlotFacts()


def needs_curves(context: Context) -> str | None:
    """What is done to a curve."""
    return needs_plot(context) or (None if plot_facts(context).curves else "there is no curve")


def needs_right(context: Context) -> str | None:
    """What is done to the right axis."""
    return needs_curves(context) or (
        None
        if plot_facts(context).right
        else f"no curve has the right axis: {context.key('plot-swap', 'y')} puts one there"
    )


def needs_no_clock(context: Context) -> str | None:
    """A time of day has no logarithm."""
    return needs_plot(context) or ("not of the time of day" if plot_facts(context).clock else None)


def needs_best(context: Context) -> str | None:
    """Losses are best where they are least, shares where they are greatest; others nobody knows."""
    return needs_curves(context) or (
        None if plot_facts(context).best else "the curve under the cursor has no best value"
    )


def needs_console(context: Context) -> str | None:
    """What is done to the console."""
    return needs_pane(context, "console")


def only_disconnected(context: Context) -> str | None:
    """Connecting by hand."""
    return None if context.lost else "connected"


def needs_groups(context: Context) -> str | None:
    """Hosts stand above their sessions."""
    return (
        None
        if context.grouped
        else f"the list is flat: press {context.key('group', 'H')} to group it by host"
    )


def needs_work(context: Context) -> str | None:
    """Something takes long."""
    return None if context.working else "nothing that takes long is going on"


def needs_unknown_key(context: Context) -> str | None:
    """A host's key nobody has accepted."""
    return None if context.key_unknown else "no host's key waits to be accepted"
