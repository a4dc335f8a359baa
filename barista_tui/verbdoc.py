"""docs/verbs.md, made from the command line: ``python -m barista_tui.verbdoc > docs/verbs.md``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from barista_tui.verbs.errors import MEANINGS
from barista_tui.verbs.examples import CODES
from barista_tui.verbs.parser import build_parser

HEAD = """# Verbs

Made from the command line by `python -m barista_tui.verbdoc > docs/verbs.md`.

All that the screen can do, `barista` does without one; `barista help VERB`, or `barista VERB --help`, tells
the same as this page.
Before or after a verb stand `--root DIR`, the folder that holds the sessions, and `--host HOST`, another
machine; most have `--json`, for scripts. `barista session VERB` is `barista VERB`. Completion for the shell:
`eval "$(barista completion bash)"`, likewise zsh; `barista completion fish | source`.
"""


def subparsers(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The verbs of a parser, by name; none where it has none."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            return dict(action.choices)
    return {}


def walked(
    parser: argparse.ArgumentParser, words: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser]]:
    """Every verb that does something, and what it takes. ``session`` has those of others."""
    inner = subparsers(parser)
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if words and not any(action.required for action in groups):
        yield words, parser
    for name, each in inner.items():
        if name != "session":
            yield from walked(each, (*words, name))


def markdown() -> str:
    """The whole page."""
    lines = [HEAD, "## Exit codes", "", "| code | means |", "|---|---|"]
    lines += [f"| {code.value} | {meaning} |" for code, meaning in MEANINGS.items()]
    lines.append("")
    group = ""
    for words, parser in walked(build_parser()):
        if words[0] != group:
            group = words[0]
            lines += [f"## {group}", ""]
        lines += _verb(words, parser)
    return "\n".join(lines).rstrip() + "\n"


def _verb(words: tuple[str, ...], parser: argparse.ArgumentParser) -> list[str]:
    places = [action for action in parser._actions if not action.option_strings and not _group(action)]
    wanted = " ".join(_place(action) for action in places)
    lines = [f"**`barista {' '.join((*words, *filter(None, [wanted])))}`** {parser.description or ''}", ""]
    shown = [each for each in parser._actions if each.help != argparse.SUPPRESS and not _group(each)]
    rows = [_row(action) for action in shown]
    rows = [row for row in rows if row]
    table = ["| | |", "|---|---|", *rows, ""] if rows else []
    return [*lines, *table, *_told(parser.epilog or "")]


def _told(epilog: str) -> list[str]:
    """What stands below a verb's help: examples as they are typed, and sentences."""
    lines = []
    for each in epilog.strip().split("\n\n"):
        first, *rest = each.splitlines()
        if first == "examples:":
            lines += [f"    {line.strip()}" for line in rest] + [""]
        elif each != CODES:
            lines += [
                " ".join([first[0].upper() + first[1:], *rest]) + "."[first.endswith(".") or bool(rest) :],
                "",
            ]
    return lines


def _group(action: argparse.Action) -> bool:
    return isinstance(action, argparse._SubParsersAction)


def _place(action: argparse.Action) -> str:
    name = _value(action)
    if action.nargs in ("*", "+"):
        return f"[{name} ...]" if action.nargs == "*" else f"{name} ..."
    return f"[{name}]" if action.nargs == "?" else name


def _value(action: argparse.Action) -> str:
    if isinstance(action.metavar, str):
        return action.metavar
    if action.choices is not None:
        return "|".join(map(str, action.choices))
    return action.dest.upper()


def _row(action: argparse.Action) -> str:
    if isinstance(action, argparse._HelpAction) or action.dest == "json" or not action.help:
        return ""
    names = ", ".join(action.option_strings)
    value = _value(action) if action.nargs != 0 else ""
    shown = " ".join(filter(None, [names, value]))
    words = (action.help or "").replace("%(default)s", str(action.default)).replace("%%", "%")
    return f"| `{_cell(shown)}` | {_cell(words)} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    print(markdown(), end="")
