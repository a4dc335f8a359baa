"""Every test gets a root of its own and leaves no process behind."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.forked_agents import forked

from .verbshell import Shell


@pytest.fixture(autouse=True)
def forked_agents() -> Iterator[None]:
    with forked():
        yield


@pytest.fixture
def shell() -> Iterator[Shell]:
    made = Shell()
    try:
        yield made
    finally:
        made.close()
