"""Actions on the program and its hosts."""

from __future__ import annotations

from functools import partial

from barista_tui.actions.action import MENUS, Action, Menu, Opens
from barista_tui.allowed import needs_unknown_key, needs_work, only_disconnected
from barista_tui.ui import Ui


def _menu(name: Menu, ui: Ui) -> None:
    ui.open_menu(name)


ACTIONS: tuple[Action, ...] = (
    Action(
        "menu",
        ("f10",),
        "Menu",
        "Barista",
        "The menus: arrows move, enter chooses",
        lambda ui: ui.open_menu("Session"),
        menu="Help",
    ),
    *(
        Action(
            f"menu-{name.lower()}",
            (f"alt+{name[0].lower()}",),
            f"Menu {name}",
            "Barista",
            f"The menu {name}",
            partial(_menu, name),
            menu="Help",
        )
        for name in MENUS
    ),
    Action(
        "context",
        ("m", "f22", "menu"),
        "Row's menu",
        "Session",
        "All that can be done to the selected session; so does the right mouse button",
        lambda ui: ui.open_context(),
        pane="sessions",
        menu="Help",
    ),
    Action(
        "palette",
        ("ctrl+p",),
        "Palette",
        "Barista",
        "Everything by name",
        lambda ui: ui.show_palette(),
        footer=8,
        menu="Help",
    ),
    Action(
        "help",
        ("question_mark", "f1"),
        "Help",
        "Barista",
        "The keys, those of the focused pane first",
        lambda ui: ui.show_help(),
        footer=9,
        menu="Help",
    ),
    Action("theme", ("T",), "Theme", "Barista", "The next theme", lambda ui: ui.next_theme(), menu="View"),
    Action(
        "reconnect",
        ("C",),
        "Connect now",
        "Barista",
        "Do not wait for the next attempt",
        lambda ui: ui.reconnect(),
        only_disconnected,
    ),
    Action(
        "project-open",
        ("O",),
        "Open project",
        "Barista",
        "A project of late, or a path: project, session's folder, log",
        lambda ui: ui.open_project(),
        menu="Session",
    ),
    Action(
        "project-save",
        ("ctrl+s",),
        "Save as project",
        "Barista",
        "Keep hosts, hidden sessions, plot and sizes in a file; from then on it is kept up to date",
        lambda ui: ui.save_project(),
        menu="Session",
    ),
    Action(
        "work",
        ("X",),
        "Work going on",
        "Barista",
        "Go to what is hashed, copied or read: there x cancels",
        lambda ui: ui.go_to_work(),
        needs_work,
    ),
    Action(
        "link",
        ("U",),
        "Unlink",
        "Barista",
        "Close the link to the host, or open it again; trainings there do not notice",
        lambda ui: ui.toggle_link(),
        label_now=lambda context: f"{'Link' if context.link.state == 'offline' else 'Unlink'} {context.host}",
    ),
    Action(
        "hosts",
        ("f3", "ctrl+h"),
        "Hosts",
        "Barista",
        "The host manager: add, rename, install, accept keys; devices and caffes of each host",
        Opens("barista_tui.screens.hosts:HostManager"),
        footer=7,
        menu="Tools",
    ),
    Action(
        "trust",
        (),
        "Accept host key",
        "Barista",
        "Show the key that an unknown host offers, and accept it once",
        lambda ui: ui.trust(),
        needs_unknown_key,
    ),
    Action(
        "back",
        ("escape",),
        "Back",
        "Barista",
        "Leave filter, zoom or pane, in this order",
        lambda ui: ui.back(),
    ),
    Action("quit", ("q",), "Quit", "Barista", "Leave; trainings go on", lambda ui: ui.leave(), footer=10),
)
