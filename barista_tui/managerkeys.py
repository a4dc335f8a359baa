"""Keys of the managers: one table for bindings, footers, their help, docs/keys.md and ``config.toml``."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Literal

from msgspec import Struct
from textual.binding import Binding, BindingType

from barista_tui.keynames import key_word
from barista_tui.widgets.bar import Piece


class ManagerKey(Struct, frozen=True):
    """``id``: as ``config.toml`` calls it; ``does``: what the screen runs; ``label``: in a footer, empty: not
    there.
    """

    id: str
    keys: tuple[str, ...]
    does: str
    help: str
    pane: Literal["inputs", "hosts", "caffes", "form", "editor", "compare", "diff", "tree", "trash"]
    label: str = ""
    priority: bool = False


def _inputs(
    name: str, keys: str, does: str, help: str, label: str = "", priority: bool = False
) -> ManagerKey:
    return ManagerKey(f"inputs-{name}", tuple(keys.split()), does, help, "inputs", label, priority)


def _hosts(name: str, keys: str, help: str, does: str = "") -> ManagerKey:
    return ManagerKey(f"hosts-{name}", tuple(keys.split()), does or f"act('{name}')", help, "hosts")


def _caffes(name: str, keys: str, help: str, label: str = "", does: str = "") -> ManagerKey:
    return ManagerKey(f"caffes-{name}", tuple(keys.split()), does or f"act('{name}')", help, "caffes", label)


def _form(name: str, keys: str, does: str, help: str, label: str = "") -> ManagerKey:
    return ManagerKey(f"form-{name}", tuple(keys.split()), does, help, "form", label)


def _editor(name: str, keys: str, does: str, help: str, label: str = "") -> ManagerKey:
    # Before the text area, which would type them.
    return ManagerKey(f"editor-{name}", tuple(keys.split()), does, help, "editor", label, True)


Beside = Literal["compare", "diff", "tree", "trash"]


def _beside(pane: Beside, name: str, keys: str, does: str, help: str, label: str = "") -> ManagerKey:
    return ManagerKey(f"{pane}-{name}", tuple(keys.split()), does, help, pane, label)


_compare, _diff, _tree, _trash = (partial(_beside, pane) for pane in ("compare", "diff", "tree", "trash"))


INPUTS: tuple[ManagerKey, ...] = (
    _inputs("add", "a", "add", "Put a dataset of a host on its list", "Add"),
    _inputs("search", "f", "search", "Search the declared folders of a host", "Find"),
    _inputs("edit", "e", "edit", "Edit the chosen list of HDF5 files, or make one; on this machine", "List"),
    _inputs("rename", "r", "do('rename')", "Rename it", "Rename"),
    _inputs("locate", "l", "do('locate')", "Tell where its files are now", "Place"),
    _inputs("reload", "R", "do('reload')", "Read its facts again and see whether it changed", "Reload"),
    _inputs("hash", "h", "do('hash')", "Find its content id; while it is hashed: cancel", "Hash"),
    _inputs("copy", "c", "do('copy')", "Copy it to another host, unless the same data is there", "Copy"),
    _inputs("assign", "s", "do('assign')", "Have a data layer of the selected session read it", "Layer"),
    _inputs("remove", "d delete", "do('remove')", "Take it off the list; its files stay", "Delete"),
    _inputs("undo", "u", "undo", "Undo the last change", "Undo"),
    _inputs("down", "J shift+down", "do('move', 1)", "Down the list", "Down"),
    _inputs("up", "K shift+up", "do('move', -1)", "Up the list", "Up"),
    _inputs("samples-before", "left", "samples(-1)", "Samples before those that are shown", priority=True),
    _inputs("samples-after", "right", "samples(1)", "The samples after them", priority=True),
    _inputs("whole", "H", "whole", "Count the labels of all samples"),
    _inputs("keys", "f1 question_mark", "keys", "These keys"),
    _inputs("leave", "escape q f2 ctrl+i", "leave", "Back to the sessions"),
)

HOSTS: tuple[ManagerKey, ...] = (
    _hosts("add", "a insert", "Add a host: an address, or one of ~/.ssh/config"),
    _hosts("rename", "e f2", "Another name"),
    _hosts("remove", "d delete", "Delete the reference; nothing happens on the host"),
    _hosts("undo", "u", "Undo that"),
    _hosts("retry", "r C", "Connect now, or ask again what it offers"),
    _hosts("link", "U", "Unlink, or link again"),
    _hosts("up", "K shift+up", "Up the list"),
    _hosts("down", "J shift+down", "Down the list"),
    _hosts("trust", "y", "Accept the key that is shown"),
    _hosts("caffes", "c", "Its caffe builds: what each is, add one, the default"),
    _hosts("settings", "o", "What new sessions there get: caffe, device, launcher"),
    _hosts("slots", "t", "How many trainings the queue has on a device at a time"),
    _hosts("install", "I", "Install the agent there, or show the commands"),
    _hosts("hidden", "s", "Show sessions there that are hidden here"),
    _hosts("tray", "X", "To what takes long: there x cancels", "tray"),
    _hosts("keys", "f1 question_mark", "These keys", "keys"),
    _hosts("leave", "escape q f3 ctrl+h", "Back to the sessions", "leave"),
)

CAFFES: tuple[ManagerKey, ...] = (
    _caffes("default", "space", "New sessions get this one; again: the first that trains", "Default"),
    _caffes("undo", "u", "Put back what was taken off last", "Undo"),
    _caffes("add", "a insert", "Add an executable, or a wrapper that starts a container", "Add"),
    _caffes("rename", "e f2", "Another name, also where sessions have chosen it", "Rename"),
    _caffes("remove", "d delete", "Take it off the list; no file is deleted", "Remove"),
    _caffes("try", "r", "Run it again to see whether it trains, and what it is", "Try"),
    _caffes("try-all", "R", "Run all of them again", "Try all"),
    _caffes("tray", "X", "To what takes long", does="tray"),
    _caffes("keys", "f1 question_mark", "These keys", "Keys", "keys"),
    _caffes("leave", "escape q", "Back to the hosts", "Back", "leave"),
)

FORM: tuple[ManagerKey, ...] = (
    _form("edit", "enter", "edit", "Change the chosen field", "Edit"),
    _form("unset", "backspace delete", "unset", "Leave it out", "Default"),
    _form("assign", "a", "assign", "Choose the dataset that a data layer reads", "Input"),
    _form("add", "n insert", "relayer('add')", "A new layer behind this one, which others then read", "New"),
    _form("copy", "c", "relayer('copy')", "Double it: the copy stands behind it", "Copy"),
    _form("remove", "D", "relayer('remove')", "Take the layer out; undo has it", "Remove"),
    _form("undo", "z ctrl+z", "step(1)", "Undo the last change of the net", "Undo"),
    _form("redo", "Z ctrl+y", "step(-1)", "Do it again", "Redo"),
    _form("text", "e", "text", "The text, where the field is", "Text"),
    _form("next", "right_square_bracket", "layer(1)", "The layer that follows in the file"),
    _form("before", "left_square_bracket", "layer(-1)", "The layer before it"),
    _form("find", "slash", "find", "Search names and meanings of fields"),
    _form("keys", "f1 question_mark", "keys", "These keys"),
    _form("leave", "escape q", "leave", "Back to the net", "Back"),
)

EDITOR: tuple[ManagerKey, ...] = (
    _editor("save", "ctrl+s", "save", "Save it, unless somebody else has written it meanwhile", "Save"),
    _editor("next", "f8", "next_problem", "To the next line that something is wrong with", "Problem"),
    _editor("renew", "f9", "renew", "Write an old net anew in the form of Caffe 1.0"),
    _editor("load", "ctrl+o", "load", "Take the text of a file on this machine", "From file"),
    _editor("export", "ctrl+e", "export", "Save the text as a file on this machine", "To file"),
    _editor("keys", "f1", "keys", "These keys", "Keys"),
    _editor("leave", "escape", "leave", "Back; what was not saved is kept for the next time", "Back"),
)

COMPARE: tuple[ManagerKey, ...] = (
    _compare("all", "a", "everything", "All settings, or those that are not the same for all", "All"),
    _compare("sort", "o", "sort", "Sort by the column of the cursor; again: the other way round", "Sort"),
    _compare("diff", "V", "diff", "What tells the session's net and solver from those of the first", "Diff"),
    _compare("save", "e", "save", "Write the table as a CSV file", "CSV"),
    _compare("reload", "r", "reload", "Ask all of them again", "Reload"),
    _compare("open", "enter", "open", "Go to the session", "Go to"),
    _compare("keys", "f1 question_mark", "keys", "These keys"),
    _compare("leave", "escape q S", "leave", "Back to the sessions"),
)

DIFF: tuple[ManagerKey, ...] = (
    _diff("other", "o", "other", "Choose the session on the left", "Other"),
    _diff("swap", "s", "swap", "The other way round", "Swap"),
    _diff("reload", "r", "reload", "Read the files again", "Reload"),
    _diff("keys", "f1 question_mark", "keys", "These keys"),
    _diff("leave", "escape q V", "leave", "Back to the sessions"),
)

TREE: tuple[ManagerKey, ...] = (
    _tree("open", "enter", "open", "Go to the session", "Go to"),
    _tree("diff", "V", "diff", "What tells it from the one it was made from", "Diff"),
    _tree("whole", "a", "everything", "All sessions, or the family of the selected one", "All"),
    _tree("keys", "f1 question_mark", "keys", "These keys"),
    _tree("leave", "escape q Y", "leave", "Back to the sessions"),
)

TRASH: tuple[ManagerKey, ...] = (
    _trash("restore", "enter u", "restore", "Bring it back", "Bring back"),
    _trash("empty", "d delete", "empty(False)", "Delete it for good; asks before", "For good"),
    _trash("empty-all", "D", "empty(True)", "Delete all of that host for good; asks before", "All"),
    _trash("reload", "r", "reload", "Ask again", "Reload"),
    _trash("keys", "f1 question_mark", "keys", "These keys"),
    _trash("leave", "escape q alt+u", "leave", "Back to the sessions"),
)

MANAGERS: dict[str, tuple[ManagerKey, ...]] = {
    "Datasets (F2)": INPUTS,
    "Hosts (F3)": HOSTS,
    "Caffe builds (F3, c)": CAFFES,
    "Form of a layer": FORM,
    "Editor of a text": EDITOR,
    "Side by side (S)": COMPARE,
    "Diff (V)": DIFF,
    "Family tree (Y)": TREE,
    "Trash (alt+u)": TRASH,
}
"""By the title that they have on paper."""

NO_KEY = "no_key"
"""For Textual, which keeps a binding whose keys are an empty text."""

KEYS, HELP = 14, 52
"""Cells of keys and help on a page of keys, as a dialog on 80 columns has them."""

Chosen = Mapping[str, tuple[str, ...]]
"""Keys that are not the table's, by id."""


def bindings(table: Sequence[ManagerKey]) -> list[BindingType]:
    """For a screen; what the person has chosen instead comes with the app's keymap, by id."""
    return [
        Binding(",".join(each.keys), each.does, show=False, priority=each.priority, id=each.id)
        for each in table
    ]


def textual_keymap(chosen: Chosen) -> dict[str, str]:
    """What Textual's ``set_keymap`` is given."""
    every = [each for table in MANAGERS.values() for each in table]
    return {each.id: ",".join(chosen[each.id]) or NO_KEY for each in every if each.id in chosen}


def word(each: ManagerKey, chosen: Chosen) -> str:
    """The key to show, as people read it; empty where it has none."""
    keys = chosen.get(each.id, each.keys)
    return key_word(keys[0]) if keys else ""


def page(table: Sequence[ManagerKey], chosen: Chosen, first: str = "") -> str:
    """The keys of a manager, to be read; ``first``: a line before them."""
    lines = [first] if first else []
    for each in table:
        keys = " ".join(key_word(key) for key in chosen.get(each.id, each.keys))
        words = textwrap.wrap(each.help, HELP)
        lines += [f"{keys:<{KEYS}} {words[0]}", *(f"{'':<{KEYS}} {more}" for more in words[1:])]
    return "\n".join(lines) + "\n"


def footer(table: Sequence[ManagerKey], chosen: Chosen, without: Sequence[str] = ()) -> list[Piece]:
    """The line at the bottom: keys with their words, which can be clicked."""
    pieces: list[Piece] = []
    for each in table:
        if each.label and each.id not in without:
            pieces += [
                Piece(f" {word(each, chosen)}", "accent", each.does),
                Piece(f" {each.label} ", "dim", each.does),
            ]
    return pieces
