"""What processes of their own do for the agent, who opens no files of unknown make, and what they tell."""

from __future__ import annotations

from typing import Literal

import msgspec

from barista_server.api.datasets import DatasetFacts, DatasetKind, LabelHistogram, Samples, Thumbnails


class Task(msgspec.Struct, omit_defaults=True):
    """One dataset, and what to do. ``roots``: files may only be read below these."""

    what: Literal["look", "samples", "thumbnails", "histogram", "hash", "search"]
    path: str
    kind: DatasetKind | None = None
    base: str = ""
    roots: list[str] = []
    start: int = 0
    count: int = 0
    side: int = 0
    whole: bool = False
    part: str = ""
    """File that keeps what was hashed so far."""


class Looked(msgspec.Struct, tag="looked"):
    path: str
    facts: DatasetFacts
    stamp: str


class Failed(msgspec.Struct, tag="failed"):
    text: str
    hint: str | None = None
    code: str = "invalid"


class Resumed(msgspec.Struct, tag="resumed"):
    """``size`` bytes need not be read again; ``note`` says why none, if there was something."""

    size: int
    note: str = ""


class Progress(msgspec.Struct, tag="progress"):
    size: int
    share: float


class Hashed(msgspec.Struct, tag="hashed"):
    content: str
    stamp: str
    records: int
    size: int


class Looking(msgspec.Struct, tag="looking"):
    """``folders`` were looked into; ``found``: path, kind and size of each new dataset."""

    folders: int
    found: list[tuple[str, DatasetKind, int]] = []
    note: str = ""


Answer = Looked | Samples | Thumbnails | LabelHistogram | Failed | Resumed | Progress | Hashed | Looking
