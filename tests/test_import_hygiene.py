"""What a program must not drag in: start-up time and headless machines depend on it."""

from __future__ import annotations

import subprocess
import sys

import pytest

CASES = [
    ("barista_server.api.link", {"numpy", "google.protobuf", "textual", "torch", "barista_server.agent"}),
    ("barista_tui.cli", {"textual", "numpy", "torch", "asyncssh"}),
    (
        "barista_tui.app",
        {"numpy", "PIL", "textual_image", "torch", "google.protobuf", "barista_server.agent"},
    ),
    ("barista_server.agent.cli", {"textual", "rich", "torch", "barista_tui", "barista_engine"}),
    ("barista_engine.cli", {"torch", "textual", "barista_server.agent"}),
    ("barista_server.runner", {"msgspec", "numpy", "psutil", "asyncio"}),
]


@pytest.mark.parametrize(("module", "unwanted"), CASES, ids=[module for module, _ in CASES])
def test_importing_a_program_leaves_out_what_it_does_not_need(module: str, unwanted: set[str]) -> None:
    script = f"import sys, {module}; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) & unwanted == set()
