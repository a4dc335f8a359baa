"""docs/keys.md, made from the action table: ``python -m barista_tui.keydoc > docs/keys.md``."""

from __future__ import annotations

from barista_tui.actions import ACTIONS, GROUPS, Action, key_word
from barista_tui.keymap import MOVES
from barista_tui.managerkeys import MANAGERS

HEAD = """# Keys

Made from the action table by `python -m barista_tui.keydoc > docs/keys.md`.

Every key can be changed in `config.toml`, in the folder that `barista host ls` keeps its list in
(`~/.config/barista` on Linux): an action's name from the last column, and its keys.

    [keys]
    snapshot = "ctrl+s, f7"
    theme = ""                  # no key

Who gets a key that was another's is told when the screen opens, and stands among the notices.
"""


def markdown() -> str:
    """The whole page."""
    lines = [HEAD]
    for group in GROUPS:
        lines += [f"## {group}", "", "| key | does | action |", "|---|---|---|"]
        lines += [_row(action) for action in ACTIONS if action.group == group]
        lines.append("")
    for title, table in MANAGERS.items():
        lines += [f"## {title}", "", "| key | does | action |", "|---|---|---|"]
        lines += [f"| {_keys(each.keys)} | {each.help} | `{each.id}` |" for each in table]
        lines.append("")
    lines += ["## Moving", "", "| key | moves | action |", "|---|---|---|"]
    lines += [f"| {_keys(keys)} | {words} | `{name}` |" for name, (keys, words) in MOVES.items()]
    return "\n".join(lines) + "\n"


def _row(action: Action) -> str:
    where = f" (in {action.pane})" if action.pane is not None else ""
    return f"| {_keys(action.keys)} | {action.help}{where} | `{action.id}` |"


def _keys(keys: tuple[str, ...]) -> str:
    return " ".join(f"`{key_word(key)}`" for key in keys)


if __name__ == "__main__":
    print(markdown(), end="")
