"""Between the remembered settings and the main screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from barista_tui import callers
from barista_tui.consolerows import TYPES
from barista_tui.frame import Shares
from barista_tui.listing import Wish
from barista_tui.panes.table import SPECS
from barista_tui.plotting.curves import SMOOTHING, Choice, View
from barista_tui.rows import SORTS
from barista_tui.settings import Settings
from barista_tui.store import Key

if TYPE_CHECKING:
    from barista_tui.screens.main import MainScreen


def restore(screen: MainScreen, settings: Settings) -> None:
    """Look at things as they were looked at last; what this version does not know is left out."""
    smooth = settings.smooth if settings.smooth in range(len(SMOOTHING)) else 0
    screen.plot.set_view(
        View(
            axis=settings.axis,
            log=settings.log,
            smooth=smooth,
            log_right=settings.log_right,
            log_x=settings.log_x and settings.axis != "clock",
        )
    )
    screen.plot.set_choice(
        Choice(*map(frozenset, (settings.shown, settings.not_shown, settings.swapped, settings.curves_off)))
    )
    if settings.kinds in TYPES:
        screen.console_pane.type = settings.kinds
    if settings.caller in callers.WORDS:
        screen.console_pane.caller = settings.caller
    sort = settings.sort if settings.sort in SORTS else "id"
    folded = frozenset(settings.folded)
    screen.hinted = settings.hinted
    screen.shares = Shares(settings.list_share, settings.dock_share)
    screen.tab = settings.tab if settings.tab in SPECS and settings.tab != "sessions" else "plot"
    hidden = frozenset(map(Key.of, settings.hidden))
    marked = tuple(map(Key.of, settings.marked))
    screen.sessions.wish = Wish(
        sort=sort, grouped=settings.grouped, folded=folded, hidden=hidden, marked=marked
    )


def present(screen: MainScreen) -> Settings:
    """How things are looked at now."""
    view, choice = screen.plot.view, screen.plot.choice
    return Settings(
        theme=screen.app.look,
        log=view.log,
        axis=view.axis,
        smooth=view.smooth,
        log_right=view.log_right,
        log_x=view.log_x,
        shown=sorted(choice.shown),
        not_shown=sorted(choice.hidden),
        swapped=sorted(choice.swapped),
        curves_off=sorted(choice.off),
        kinds=screen.console_pane.type,
        caller=callers.kept(screen.console_pane.caller),
        sort=screen.sessions.wish.sort,
        grouped=screen.sessions.wish.grouped,
        list_share=screen.shares.list,
        dock_share=screen.shares.dock,
        tab=screen.tab,
        hidden=sorted(map(str, screen.sessions.wish.hidden)),
        marked=list(map(str, screen.sessions.wish.marked)),
        hinted=screen.hinted,
        folded=sorted(screen.sessions.wish.folded),
    )
