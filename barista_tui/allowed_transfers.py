"""What can be carried from machine to machine now, and if not, why not."""

from __future__ import annotations

from barista_server.api.messages import State
from barista_tui.allowed import Context, needs_agent, needs_any_agent, needs_selection


def _needs_link(context: Context) -> str | None:
    """What a viewer may have done too."""
    refused = needs_agent(context)
    return None if context.link.state == "alive" else refused


def _is_log(context: Context) -> str | None:
    log = context.session is not None and context.session.kind == "log"
    return "an imported log: only watched" if log else None


def can_fetch(context: Context) -> str | None:
    """Whoever may look may have a copy."""
    return _needs_link(context) or needs_selection(context) or _is_log(context)


def can_deploy(context: Context) -> str | None:
    """There must be weights; the host runs both nets."""
    if refused := needs_agent(context) or needs_selection(context) or _is_log(context):
        return refused
    there = context.session is not None and context.session.snapshots
    return None if there else f"no snapshot yet: {context.key('snapshot', 's')} takes one while it runs"


def can_put(context: Context) -> str | None:
    """Some host takes it."""
    return needs_any_agent(context)


def can_move(context: Context) -> str | None:
    """There must be somewhere to go to; both hosts change."""
    if refused := needs_agent(context) or needs_selection(context) or _is_log(context):
        return refused
    session = context.session
    assert session is not None
    if session.state is State.QUEUED or session.queued is not None:
        return f"queued: take it out with {context.key('queue', 'Q')} first"
    if not context.elsewhere:
        return f"no other host is connected: {context.key('hosts', 'f3')} adds one"
    return None


def can_keep(context: Context) -> str | None:
    """Of a session; while it trains too."""
    return needs_agent(context) or needs_selection(context) or _is_log(context)
