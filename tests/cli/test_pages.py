"""Pages that tell of keys, verbs and tests tell of those that there are."""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from barista_tui import verbdoc
from barista_tui.actions import BY_ID
from barista_tui.cli import HANDLERS, verb_in, with_open
from barista_tui.keynames import key_word
from barista_tui.managerkeys import MANAGERS
from barista_tui.verbs.examples import EXAMPLES
from barista_tui.verbs.parser import build_parser

TOP = Path(__file__).parents[2]
DOCS = TOP / "docs"
KEYS = {
    **{action.id: action.keys for action in BY_ID.values()},
    **{each.id: each.keys for table in MANAGERS.values() for each in table},
}


@cache
def found_in(file: str) -> frozenset[str]:
    return frozenset(re.findall(r"^(?:async )?def (test_\w+)\(", (TOP / file).read_text(), re.MULTILINE))


@cache
def parser() -> argparse.ArgumentParser:
    return build_parser()


def wrong_verb(text: str) -> str | None:
    """What is wrong with ``barista VERB [WHAT] --options ...``; words in capitals stand for anything."""
    _, *words = text.split()
    at, path = parser(), list(words)
    while path and (inner := verbdoc.subparsers(at)) and not path[0].startswith("-"):
        if path[0] not in inner:
            return f"{text}: there is no verb {path[0]}"
        at = inner[path.pop(0)]
    known = {*at._option_string_actions, *parser()._option_string_actions}
    unknown = [word for word in path if word.startswith("-") and word not in known]
    return f"{text}: no option {', '.join(unknown)}" if unknown else None


def wrong_keys(text: str) -> list[str]:
    """Of ``key`` action, ... those that are not so."""
    wrong = [f"no action {name}" for name in re.findall(r"\bmenu ([\w-]+)", text) if name not in KEYS]
    for key, name in re.findall(r"`([^`]+)` ([a-z][\w-]*)", text):
        if name not in KEYS:
            wrong.append(f"no action {name}")
        elif key not in [key_word(each) for each in KEYS[name]]:
            wrong.append(f"{name} has not the key {key}")
    return wrong


def test_the_page_about_verbs_is_the_command_line() -> None:
    assert (DOCS / "verbs.md").read_text() == verbdoc.markdown(), (
        "python -m barista_tui.verbdoc > docs/verbs.md makes it anew"
    )


def test_features_name_keys_verbs_and_tests_that_there_are() -> None:
    wrong: list[str] = []
    lines = (DOCS / "features.md").read_text().splitlines()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line[:3] in _MARKS]
    assert len(rows) > 60
    for mark, promise, keys, verbs, tests in rows:
        wrong += filter(None, map(wrong_verb, re.findall(r"`(barista [^`]*)`", verbs)))
        wrong += wrong_keys(keys)
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", tests)
        wrong += [f"{file}::{test} is not there" for file, test in named if test not in found_in(file)]
        if not named and mark != "✖":
            wrong.append(f"no test: {promise}")
    assert not wrong, "\n".join(wrong)


_MARKS = ("| ✔", "| ◐", "| ✖")


@pytest.mark.parametrize("path", sorted((DOCS / "guide").glob("*.md")), ids=lambda path: path.stem)
def test_the_guide_names_keys_and_verbs_that_there_are(path: Path) -> None:
    text = path.read_text()
    wrong = []
    for key, name in re.findall(r"^\| `([^`]+)` \|.*\| `([\w-]+)` \|$", text, re.MULTILINE):
        if key not in [key_word(each) for each in KEYS.get(name, ())]:
            wrong.append(f"{name} has not the key {key}")
    verbs = re.findall(r"^    (barista [a-z].*?)(?:  +#.*)?$", text, re.MULTILINE)
    wrong += filter(None, map(wrong_verb, [*verbs, *re.findall(r"`(barista [a-z-][^`]*)`", text)]))
    assert not wrong, "\n".join(wrong)


def test_examples_can_be_typed_and_every_verb_has_some() -> None:
    alone = {words[0] for words, _ in verbdoc.walked(parser())}
    assert alone - {words.split()[0] for words in EXAMPLES} == {"edit"}, "edit has its own"
    for name, examples in EXAMPLES.items():
        for example in examples:
            words = with_open(shlex.split(example.partition(" > ")[0])[1:], HANDLERS)
            args = parser().parse_args(words)
            assert args.verb == name.split()[0], example
            assert build_parser(verb_in(words)).parse_args(words) == args
    shown = subprocess.run(
        [sys.executable, "-m", "barista_tui.cli", "session", "clone", "--help"],
        capture_output=True,
        text=True,
    ).stdout
    assert "\n  barista clone mine --settings-only\n" in shown and "exit codes" in shown


def test_one_verb_alone_looks_as_among_all() -> None:
    whole = verbdoc.subparsers(parser())
    assert {verb_in([name]) for name in whole} == {*whole, None} - {"session"}
    for name in HANDLERS:
        alone = build_parser(verb_in(["--root", "x", name]))
        assert verbdoc.subparsers(alone)[name].format_help() == whole[name].format_help()
        assert alone.format_usage() == parser().format_usage()
    assert verb_in([]) == "" and verb_in(["--help"]) is None and verb_in(["nonsense"]) is None


def test_every_page_is_on_the_index() -> None:
    index = (DOCS / "index.md").read_text()
    pages = {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")} - {"index.md"}
    assert pages == set(re.findall(r"\]\(([^)]+)\)", index))


@pytest.mark.parametrize("path", sorted(DOCS.rglob("*.md")), ids=lambda path: str(path.relative_to(DOCS)))
def test_links_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)", path.read_text())
    gone = [link for link in links if "://" not in link and not (path.parent / link).exists()]
    assert not gone
