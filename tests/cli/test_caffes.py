"""Caffe executables by the verb: found, tried, added, renamed, and what sessions make of that."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from .verbshell import Shell

OTHER = Path(__file__).parents[1] / "support" / "other_caffe.py"


def other(kind: str) -> list[str]:
    return [sys.executable, str(OTHER), kind]


def named(found: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {one["name"]: one for one in found}


def test_they_are_tried_once_and_then_known(shell: Shell) -> None:
    told = shell.barista("caffes").stdout.splitlines()
    assert told[0].split() == ["NAME", "KIND", "VERSION", "GPU", "COMMAND"]
    assert told[1].startswith("scripted  Caffe     1.0      CPU only  ")
    assert told[2].startswith("embedded  embedded  ")
    known = shell.json("caffes", "--no-check")
    assert [one["name"] for one in known] == ["scripted", "embedded"]
    assert [one["checked"] for one in shell.json("caffes")] == [one["checked"] for one in known]


def test_one_is_added_chosen_renamed_and_taken_off(shell: Shell) -> None:
    told = shell.barista("caffes", "add", "net", "--json", "--", *other("ssd")).stdout
    added = named(json.loads(told))
    assert (added["net"]["kind"], added["net"]["argv"]) == ("SSD", other("ssd"))
    assert "there is a caffe 'net' already" in shell.barista("caffes", "add", "net", "/bin/sh", code=4).stderr
    shell.new("--name", "one", "--caffe", "net", max_iter=10)
    shell.barista("set", "--defaults", "--caffe", "net")
    assert "other name" in shell.barista("caffes", "rename", "net", "embedded", code=4).stderr
    assert "There are: scripted, net, embedded" in shell.barista("caffes", "rename", "x", "y", code=3).stderr
    assert list(named(shell.json("caffes", "rename", "net", "ssd"))) == ["scripted", "ssd", "embedded"]
    assert shell.json("show", "one")["caffe"] == "ssd" == shell.json("set", "--defaults")["caffe"]
    shell.barista("start", "one")
    assert "Finished" in shell.barista("wait", "one").stdout
    shell.barista("reset", "one")
    assert list(named(shell.json("caffes", "rm", "ssd"))) == ["scripted", "embedded"]
    assert "not on this machine any more" in shell.barista("start", "one", code=4).stderr
    assert "barista caffes add" in shell.barista("caffes", "rm", "embedded", code=4).stderr


def test_one_that_does_not_train_is_refused_and_named(shell: Shell) -> None:
    before = (shell.root / "caffes.json").read_bytes()
    told = shell.barista("caffes", "add", "box", "--", *other("elsewhere"), code=4).stderr
    assert "does not see the folder it is started in" in told and "--unchecked" in told
    gone = shell.barista("caffes", "add", "box", str(shell.root / "gone"), code=4).stderr
    assert "is not there or not executable" in gone
    assert "needs a name" in shell.barista("caffes", "add", " ", "/bin/sh", code=4).stderr
    assert (shell.root / "caffes.json").read_bytes() == before
    listed = shell.barista("caffes", "add", "box", "--unchecked", "--", *other("elsewhere")).stdout
    assert "    does not see the folder" in listed and "    -> A container must see" in listed
    # What fails is not what a new session gets unless it is named.
    shell.new("--name", "named", "--caffe", "box")
    (shell.root / "caffes.json").write_text(json.dumps([{"name": "box", "argv": other("elsewhere")}]))
    made = shell.json("new", str(shell.files / "solver.prototxt"), "--name", "free")
    assert made["caffe"] == "embedded"


def test_a_damaged_list_is_told_and_loses_nothing(shell: Shell) -> None:
    (shell.root / "caffes.json").write_text("[{")
    assert "Correct the file, or remove it" in shell.barista("caffes", "--no-check").stdout
    assert "caffes.json" in shell.barista("caffes", "add", "x", "--unchecked", "/bin/sh", code=4).stderr
    assert (shell.root / "caffes.json").read_text() == "[{"
