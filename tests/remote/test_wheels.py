"""Wheels made again from what is installed."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest

from barista_server.remote.collect import Facts, collected, engine_wheels, pins
from barista_server.remote.wheels import (
    WheelError,
    closure,
    least_glibc,
    plain,
    repack,
    tags_of,
    wheel_name,
)


def test_all_that_the_agent_needs_is_found_and_nothing_of_the_screen() -> None:
    names = {plain(one.name) for one in closure("barista-server")}
    assert {"barista_server", "asyncssh", "cryptography", "numpy", "msgspec", "typing_extensions"} <= names
    assert not names & {"textual", "torch", "pytest", "pillow"}
    assert "torch" in {plain(one.name) for one in closure("barista-server", ["engine"])}
    with pytest.raises(WheelError, match="no-such-thing is not installed"):
        closure("no-such-thing")


@pytest.mark.parametrize("name", ["barista-server", "msgspec"])
def test_a_wheel_lists_its_files_with_their_hashes(name: str, tmp_path: Path) -> None:
    path = repack(distribution(name), tmp_path)
    with zipfile.ZipFile(path) as wheel:
        names = wheel.namelist()
        inside = next(one for one in names if one.endswith(".dist-info/RECORD"))
        rows = list(csv.reader(io.StringIO(wheel.read(inside).decode())))
        assert [row[0] for row in rows] == names
        for file, digest, size in rows[:-1]:
            data = wheel.read(file)
            made = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            assert (digest, size) == (f"sha256={made}", str(len(data)))
    assert not any("__pycache__" in one or "direct_url" in one or one.startswith("..") for one in names)
    if name == "barista-server":
        assert {"barista_server/runner.py", "barista_engine/cli.py", "barista_server/data/digits.bin"} <= {
            *names
        }
    else:
        # What is in it is what is installed.
        installed = Path(str(distribution(name).locate_file("msgspec/__init__.py"))).read_bytes()
        with zipfile.ZipFile(path) as wheel:
            assert wheel.read("msgspec/__init__.py") == installed


def test_the_same_files_make_the_same_wheel(tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    first, second = (
        repack(distribution("platformdirs"), folder) for folder in (tmp_path, tmp_path / "again")
    )
    assert first.read_bytes() == second.read_bytes()


def test_names_and_the_c_library_follow_the_tags() -> None:
    numpy = distribution("numpy")
    tags = tags_of(numpy)
    assert wheel_name(numpy).startswith(f"numpy-{numpy.version}-{'-'.join(tags[0].split('-')[:2])}-")
    assert least_glibc(["cp311-cp311-manylinux_2_27_x86_64", "cp311-cp311-manylinux_2_28_x86_64"]) == (2, 27)
    assert least_glibc(["cp310-abi3-manylinux2014_x86_64"]) == (2, 17)
    assert least_glibc(["py3-none-any"]) == (0, 0)
    assert pins([Path("a_b-1.0-py3-none-any.whl"), Path("pip-23.2.1-py3-none-any.whl")]) == ["a_b==1.0"]


def test_a_host_of_another_kind_gets_ours_and_fetches_the_rest_itself(tmp_path: Path) -> None:
    facts = Facts(
        "/p", "3.12.1", "cpython-312", "riscv", "Plan9", ("", ""), True, 0, "/b", {}, None, None, False
    )
    assert not facts.same_kind() and facts.glibc() == (0, 0)
    wheels, why = collected(facts, tmp_path, lambda _: None)
    assert "Plan9 on riscv with Python 3.12.1" in why
    assert {path.name.split("-")[0] for path in wheels} == {"barista_server", "pip"}
    assert engine_wheels(facts, tmp_path, wheels, lambda _: None) == []
