"""Keys as the person wants them: ``[keys]`` of ``config.toml``, beside the other settings.

    [keys]
    snapshot = "ctrl+s, f7"     # action = keys, as docs/keys.md lists them
    theme = ""                  # no key at all

The person's choice wins: an action that had the key loses it, and that is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from msgspec import Struct, field
from textual.binding import Binding, BindingType

from barista_tui import config
from barista_tui.actions import ACTIONS, key_word
from barista_tui.managerkeys import MANAGERS

MOVES: dict[str, tuple[tuple[str, ...], str]] = {
    "move-up": (("up", "k"), "up a line"),
    "move-down": (("down", "j"), "down a line"),
    "page-up": (("pageup", "ctrl+b"), "up a page"),
    "page-down": (("pagedown", "ctrl+f"), "down a page"),
    "first": (("home", "g"), "to the beginning"),
    "last": (("end", "G"), "to the end"),
    "move-left": (("left",), "to the left"),
    "move-right": (("right",), "to the right"),
    "select-up": (("shift+up",), "in the console: select lines, upwards"),
    "select-down": (("shift+down",), "in the console: select lines, downwards"),
}
"""Keys that move within what has the focus: not actions of the table, but remapped like them."""

_SIGNS = {
    "<": "less_than_sign", ">": "greater_than_sign", "/": "slash", "?": "question_mark", "+": "plus",
    "-": "minus", "=": "equals_sign", ";": "semicolon", ".": "full_stop", "{": "left_curly_bracket",
    "}": "right_curly_bracket", " ": "space", "[": "left_square_bracket", "]": "right_square_bracket",
    ":": "colon", "!": "exclamation_mark", "*": "asterisk", "#": "number_sign", "'": "apostrophe",
    "|": "vertical_line", "_": "underscore", "\\": "backslash", "~": "tilde", "`": "grave_accent",
    '"': "quotation_mark", "%": "percent_sign", "&": "ampersand", "@": "at", "$": "dollar_sign",
    "^": "circumflex_accent", "(": "left_parenthesis", ")": "right_parenthesis",
}  # fmt: skip
"""Signs by the names that Textual gives their keys."""


class Keymap(Struct, frozen=True):
    """``keys``: of actions and managers whose keys are not the tables'; ``moves``: of :data:`MOVES`, for
    Textual."""

    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    moves: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    """What is wrong with the file, and which keys changed their action, in sentences."""

    def moving(self) -> list[tuple[list[str], str]]:
        """Keys that move, and where to."""
        found = []
        for name, (keys, words) in MOVES.items():
            chosen = self.moves.get(name, ",".join(keys))
            found.append(([key for key in chosen.split(",") if key], words))
        return found


class Remappable(Protocol):
    """An action, or a key of a manager."""

    @property
    def id(self) -> str: ...
    @property
    def keys(self) -> tuple[str, ...]: ...
    @property
    def pane(self) -> str | None: ...


_EVERY: Sequence[Remappable] = (*ACTIONS, *(each for table in MANAGERS.values() for each in table))


def move(name: str, action: str) -> Binding:
    """A widget's binding for one of :data:`MOVES`."""
    return Binding(",".join(MOVES[name][0]), action, show=False, id=name)


def moves() -> list[BindingType]:
    """The bindings of rows of which one is chosen."""
    actions = ("move(-1)", "move(1)", "page(-1)", "page(1)", "jump(0)", "jump(-1)")
    names = ("move-up", "move-down", "page-up", "page-down", "first", "last")
    return [move(name, action) for name, action in zip(names, actions, strict=True)]


def load() -> Keymap:
    """The person's keymap; the table's own keys where there is no file, or none that can be read."""
    table, problem = config.read()
    if problem is not None:
        return Keymap(problems=(problem,))
    wanted = table.get("keys", {})
    if not isinstance(wanted, dict):
        return Keymap(
            problems=(f'{config.path()}: keys must be a table: [keys], then lines as in snapshot = "f7"',)
        )
    return arranged(wanted)


def arranged(wanted: Mapping[str, object], actions: Iterable[Remappable] = _EVERY) -> Keymap:
    """The keymap that the entries make of the table."""
    table = {action.id: action for action in actions}
    problems: list[str] = []
    keys: dict[str, tuple[str, ...]] = {}
    moves: dict[str, str] = {}
    taken: dict[tuple[str, str | None], str] = {}
    for name, text in wanted.items():
        if not isinstance(text, str):
            problems.append(f'keys: {name} must be a text, as in {name} = "f7"')
        elif name in MOVES:
            moves[name] = ",".join(_parts(text))
        elif name not in table:
            problems.append(f"keys: there is no action '{name}'; docs/keys.md and F1 list them")
        else:
            mine = []
            for key in _parts(text):
                other = taken.setdefault((key, table[name].pane), name)
                if other == name:
                    mine.append(key)
                else:
                    problems.append(
                        f"keys: {key_word(key)} is given to both {other} and {name}; {other} has it"
                    )
            keys[name] = tuple(dict.fromkeys(mine))
    for action in table.values():
        if action.id in keys:
            continue
        lost = {key: taken[key, action.pane] for key in action.keys if (key, action.pane) in taken}
        if lost:
            keys[action.id] = tuple(key for key in action.keys if key not in lost)
            left = ", ".join(map(key_word, keys[action.id])) or "none"
            problems += [
                f"keys: {key_word(key)} now does {winner}, no longer {action.id} (its keys: {left})"
                for key, winner in lost.items()
            ]
    return Keymap(keys, moves, tuple(problems))


def _parts(text: str) -> list[str]:
    return [_SIGNS.get(part, part) for part in (each.strip() for each in text.split(",")) if part]
