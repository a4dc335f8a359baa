"""When Python looks for cycles among its objects: not while the program starts, later among new ones alone.

A look at all of them, most of which are code and last for good, takes 50 ms, in which no key is painted.
"""

from __future__ import annotations

import gc

SETTLED = 8.0
"""Seconds after which what a screen needs has been loaded."""


def hold() -> None:
    """Not before :func:`settle`: nothing of a start is garbage."""
    gc.disable()


def settle() -> None:
    """What is there now stays; look among what comes."""
    gc.collect()
    gc.freeze()
    gc.enable()
