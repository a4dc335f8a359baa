"""A file that was named to be looked at, on the screen: a log beside the sessions, or a model's weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from barista_server.api.messages import ImportLog, SessionReply
from barista_tui.hosts import LOCAL
from barista_tui.opening import is_model

if TYPE_CHECKING:
    from barista_tui.app import BaristaApp


def show(app: BaristaApp, path: Path) -> None:
    """Once the local agent is connected."""
    _model(app, path) if is_model(path) else _log(app, path)


def _model(app: BaristaApp, path: Path) -> None:
    """Its weights, until another session is chosen."""
    from barista_tui.panes.weights import WeightsPane

    app.main.show_pane("weights")
    pane = app.main.pane("weights")
    assert isinstance(pane, WeightsPane)
    pane.open_file(path)


def _log(app: BaristaApp, path: Path) -> None:
    """Chosen in the list, imported if it is not there."""
    for session in app.store.known.host(LOCAL).sessions.values():
        if session.log is not None and session.log.path == str(path):
            app.main.want(session.id, LOCAL)
            return

    async def imported() -> None:
        reply = await app.fleet[LOCAL].call(ImportLog(path=str(path)), SessionReply)
        app.store.changed_session(LOCAL, reply.session)
        app.main.want(reply.session.id, LOCAL)

    app.main.ask_agent(imported(), f"{path} was not imported")
