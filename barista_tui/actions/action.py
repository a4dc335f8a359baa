"""A row of the action table, and how keys are read and written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from msgspec import Struct

from barista_tui.allowed import Context
from barista_tui.keynames import key_word
from barista_tui.ui import Ui

Check = Callable[[Context], str | None]
Menu = Literal["Session", "Pane", "View", "Tools", "Help"]
MENUS: tuple[Menu, ...] = ("Session", "Pane", "View", "Tools", "Help")
"""Pane: what belongs to the pane with the focus alone."""


class OnPane(Struct, frozen=True):
    """A handler: calls a method of a pane, ``go``: after going there."""

    pane: str
    method: str
    args: tuple[Any, ...] = ()
    go: bool = False

    def __call__(self, ui: Ui) -> None:
        if self.go:
            ui.show_pane(self.pane)
        ui.tell(self.pane, self.method, *self.args)


class Opens(Struct, frozen=True):
    """A handler: opens a screen, named by module and class, made without arguments."""

    screen: str

    def __call__(self, ui: Ui) -> None:
        ui.open(self.screen)


def possible(context: Context) -> str | None:
    """It can always be done."""
    return None


class Action(Struct, frozen=True):
    """One row of the table. ``keys``: Textual's names, first the one to show; ``pane``: bound only there."""

    id: str
    keys: tuple[str, ...]
    label: str
    group: str
    """Session, Panes, Barista, or the title of the pane it is about."""
    help: str
    handler: Callable[[Ui], None]
    refused: Check = possible
    """The reason why it cannot be done now, or None."""
    label_now: Callable[[Context], str] | None = None
    pane: str | None = None
    footer: int = 0
    """Place in the footer, 1 first; 0: not there."""
    menu: Menu | None = None
    """None: the menu of its group."""


def keys_of(action: Action, context: Context) -> tuple[str, ...]:
    """Its keys, as the person may have chosen them."""
    return context.keys.get(action.id, action.keys)


def first_key(action: Action, context: Context) -> str:
    """The key to show, as people read it; empty where it has none."""
    keys = keys_of(action, context)
    return key_word(keys[0]) if keys else ""


def label(action: Action, context: Context) -> str:
    """The action's name as it reads now: *Pause* while running."""
    return action.label_now(context) if action.label_now else action.label
