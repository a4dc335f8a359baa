"""A form as rows, and what a person reads of each field. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from barista_server.api.messages import Form, FormField, Problem
from barista_server.api.text import clean_name

_PLAIN = re.compile(r"[^\s,'\"\\]+")
_KINDS = {
    "bool": "true or false",
    "int": "whole number",
    "float": "number",
    "string": "text",
    "enum": "one of",
    "block": "block",
    "foreign": "of a fork",
}


class FormRow(Struct, frozen=True):
    """A title (``field`` None) or a field."""

    title: str
    field: FormField | None = None


def rows(form: Form) -> tuple[FormRow, ...]:
    """All rows, each group below its title."""
    made: list[FormRow] = []
    for group in form.groups:
        made.append(FormRow(group.title))
        made += [FormRow(group.title, field) for field in group.fields]
    return tuple(made)


def row_of(all_rows: Sequence[FormRow], path: str) -> int:
    """Place of the field, or of the first one."""
    places = [at for at, row in enumerate(all_rows) if row.field is not None]
    return next((at for at in places if _path(all_rows[at]) == path), places[0] if places else 0)


def _path(row: FormRow) -> str:
    return row.field.path if row.field is not None else ""


def matching(all_rows: Sequence[FormRow], words: str) -> list[int]:
    """Rows whose name or explanation has the words."""
    words = words.strip().lower()
    return [
        at
        for at, row in enumerate(all_rows)
        if words and row.field is not None and words in f"{row.field.name} {row.field.about}".lower()
    ]


def value_words(field: FormField) -> str:
    """What it is set to, or what it is without."""
    if field.values:
        text = edit_text(field) if field.repeated else field.values[0] or '""'
        return "".join(char if char.isprintable() else "\ufffd" for char in text)
    return field.default or "–"


def edit_text(field: FormField) -> str:
    """Its values as one would type them."""
    if not field.repeated:
        return field.values[0] if field.values else ""
    return ", ".join(_quoted(value) for value in field.values)


def _quoted(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    return "'" + value.replace("'", "'\"'\"'") + "'"


def mark(field: FormField, problems: Sequence[Problem]) -> str:
    """A sign before the name: wrong, set, set but looked at by nobody; blank where it is left out."""
    if of_field(field, problems):
        return "✖"
    return " " if not field.values else "•" if field.used else "◦"


def of_field(field: FormField, problems: Sequence[Problem]) -> list[Problem]:
    """What is wrong with it: what stands on its line."""
    return [each for each in problems if each.line is not None and each.line == field.line]


def facts(field: FormField) -> str:
    """Kind, unit, value when left out, line."""
    kind = _KINDS[field.kind]
    if field.kind == "enum":
        kind = " | ".join(field.choices)
    parts = ["several: " + kind if field.repeated else kind]
    if field.unit:
        parts.append(f"in {field.unit}")
    if field.kind not in ("block", "foreign"):
        parts.append(f"left out: {field.default}" if field.default else "no default")
    parts.append(f"line {field.line}" if field.line is not None else "not set")
    return " · ".join(parts)


def about(field: FormField, form: Form) -> str:
    """One line on what it does, and whether anybody looks."""
    if field.values and not field.used:
        return f"Nothing looks at it as the form is ({form.kind}). {field.about}"
    return field.about


def problem_line(problem: Problem) -> str:
    """``net.prototxt:12 text (hint)``."""
    where = f"{problem.file}:{problem.line}  " if problem.line is not None else f"{problem.file or ''}  "
    return clean_name(where + problem.text + (f" ({problem.hint})" if problem.hint else ""))
