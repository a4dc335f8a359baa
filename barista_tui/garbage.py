"""When Python looks for cycles among its objects: not while the program starts, later among new ones alone.

A look at all of them, most of which are code and last for good, takes 50 ms, in which no key is painted.
"""

from __future__ import annotations

import gc

SETTLED = 8.0
"""Seconds after which what a screen needs has been loaded."""


def hold() -> None:
    """Not before :func:`keep` or :func:`settle`: nothing of a start is garbage."""
    gc.disable()


def keep() -> None:
    """What is there now stays, also at the end of the process; look among what comes."""
    gc.freeze()
    gc.enable()


def settle() -> None:
    """Likewise, after a last look."""
    gc.collect()
    keep()
