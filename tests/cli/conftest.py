"""Every test gets a root of its own and leaves no process behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .verbshell import Shell


@pytest.fixture
def shell() -> Iterator[Shell]:
    made = Shell()
    try:
        yield made
    finally:
        made.close()
