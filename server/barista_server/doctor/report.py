"""What the doctor found, one line each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Literal, NamedTuple

Level = Literal["ok", "warn", "bad"]


class Finding(NamedTuple):
    """``advice``: what to do about it; empty where nothing is wrong."""

    name: str
    level: Level
    text: str
    advice: str = ""


def lines(found: Sequence[Finding], words: dict[str, str] | None = None) -> list[str]:
    """``ok    disk      120 GB free``, advice below; ``words``: others for the levels."""
    wide = max((len(one.name) for one in found), default=0)
    told = []
    for one in found:
        level = (words or {}).get(one.level, one.level)
        told.append(f"{level:<5} {one.name:<{wide}}  {one.text}")
        told += [" " * (8 + wide) + line for line in one.advice.splitlines()]
    return told


def as_json(found: Sequence[Finding], tried: Sequence[Finding]) -> str:
    """Both lists, and whether all is well."""
    every = [*found, *tried]
    value = {
        "well": not any(one.level == "bad" for one in every),
        "checks": [one._asdict() for one in found],
        "trials": [one._asdict() for one in tried],
    }
    return json.dumps(value, indent=2, ensure_ascii=False)
