"""What came of running an executable."""

from __future__ import annotations

import msgspec

EMBEDDED_SAYS = "(barista-caffe,"
"""In what the embedded engine says of its version."""


class Outcome(msgspec.Struct, frozen=True):
    """One start. ``code`` as subprocess has it: negative for a signal, None if it could not be started."""

    code: int | None = None
    error: int | None = None
    """The errno for which it could not be started."""
    out: str = ""
    err: str = ""
    late: bool = False
    """It was ended because it took too long."""


class Tries(msgspec.Struct, frozen=True):
    """All starts of an executable; those that were not worth while are None."""

    version: Outcome
    trained: Outcome | None = None
    wrote: bool = False
    """Training left a snapshot where it was to be."""
    layers: Outcome | None = None
    usage: Outcome | None = None
    devices: Outcome | None = None
    missing: list[str] = []
    """Libraries that the loader does not find."""


class Check(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an executable is."""

    kind: str = ""
    version: str = ""
    gpu: bool | None = None
    problem: str | None = None
    hint: str | None = None
    at: float = 0.0
    took: float = 0.0
    """Seconds that the tries took."""
