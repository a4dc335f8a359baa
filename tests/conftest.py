"""What all tests share: components that are real or the test is not run (and in CI fails)."""

from __future__ import annotations

import fcntl
import gc
import os
import shutil
from collections.abc import Generator
from pathlib import Path

import pytest

COMPONENTS = {
    "tmux": ["tmux"],
    "sshd": ["sshd", "ssh", "ssh-keygen"],
    "netns": ["ip"],
    "slurm": ["slurmctld", "slurmd", "sbatch", "munged"],
}
"""Executables each component of the ``real`` marker needs."""


def _missing(component: str) -> list[str]:
    path = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    missing = [name for name in COMPONENTS[component] if shutil.which(name, path=path) is None]
    # Network namespaces are made by root only.
    return [*missing, "rights of root"] if component == "netns" and os.getuid() != 0 else missing


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip tests whose component is not installed; under BARISTA_REQUIRE_REAL=1 fail them."""
    for mark in item.iter_markers("real"):
        for component in mark.args:
            if missing := _missing(component):
                reason = f"{component} is not installed here (no {', '.join(missing)})"
                if os.environ.get("BARISTA_REQUIRE_REAL") == "1":
                    pytest.fail(f"BARISTA_REQUIRE_REAL=1, but {reason}", pytrace=False)
                pytest.skip(reason)


@pytest.fixture(autouse=True, scope="session")
def own_user_folders(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What a person has set on this machine (view settings, last lists, a root) plays no part in tests."""
    home: Path = tmp_path_factory.mktemp("user")
    for name in ("CONFIG", "CACHE", "DATA", "STATE"):
        os.environ[f"XDG_{name}_HOME"] = str(home / name.lower())
    os.environ.pop("BARISTA_ROOT", None)
    # Neither do the caffes of this machine.
    os.environ["BARISTA_CAFFE_PLACES"] = ""


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Generator[None, object, object]:
    """Of several workers that collect the same file one compiles it, and the others find it compiled."""
    if not (isinstance(collector, pytest.Module) and "PYTEST_XDIST_WORKER" in os.environ):
        return (yield)
    with collector.path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        return (yield)


def pytest_collection_finish() -> None:
    """What the tests have imported is no garbage: looking through it, as often as a screen makes cycles,
    takes a fifth of the time."""
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
