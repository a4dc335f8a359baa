"""The verbs of queue and devices, and their exit codes."""

from __future__ import annotations

import json

from .verbshell import Shell


def test_a_queue_by_verbs(shell: Shell) -> None:
    shell.new("--name", "busy", "--start")
    for name in ("one", "two"):
        shell.new("--name", name, max_iter=20)
    told = shell.barista("start", "one", "--queue").stdout
    assert told == "2  one  ⧗ Queued #1\n    cpu: busy\n"
    shell.barista("queue", "add", "two", "--after", "one", "--priority", "2")
    listed = shell.barista("queue", "ls").stdout.splitlines()
    assert [line.split(maxsplit=5) for line in listed[1:]] == [
        ["1", "3", "two", "cpu", "2", "after one"],
        ["2", "2", "one", "cpu", "0", "cpu: busy"],
    ]
    assert "⧗ Queued #1" in shell.barista("ls").stdout and "after one" in shell.barista("show", "two").stdout
    assert shell.json("queue", "move", "two", "down")["queued"]["place"] == 2
    assert shell.json("queue", "priority", "one", "-3")["queued"]["priority"] == -3
    assert [one["name"] for one in shell.json("queue", "ls")["sessions"]] == ["two", "one"]

    assert "is in the queue" not in shell.barista("queue", "rm", "busy", code=4).stdout
    assert "go with --queue" in shell.barista("start", "one", "--after", "two", code=2).stderr
    assert "Devices here: cpu" in shell.barista("queue", "slots", "9", "1", code=3).stderr
    shell.barista("queue", "slots", "cpu", "-1", code=2)
    shell.barista("queue", "add", "nobody", code=3)

    assert shell.barista("pause", "two").stdout == "3  two  ○ Waiting\n"
    shell.barista("queue", "slots", "cpu", "2")
    assert "Finished" in shell.barista("wait", "one").stdout
    assert "Nothing is in the queue" in shell.barista("queue", "ls").stdout
    assert json.loads((shell.root / "queue.json").read_text()) == {"slots": {"cpu": 2}}

    row, whose = shell.barista("devices").stdout.splitlines()[1:3]
    assert whose == "    session 1 busy"
    assert row.startswith("cpu") and row.endswith("1 of 2")
    cpu = shell.json("devices")[0]
    assert cpu["sessions"] == ["1"] and cpu["memory_total"] > cpu["memory_free"] > 0
    candidates = [shell.barista("_complete", *words).stdout.split() for words in (
        ("queue", ""), ("queue", "move", "one", ""), ("queue", "add", "tw"), ("queue", "slots", ""),
    )]  # fmt: skip
    assert candidates == [
        ["add", "ls", "move", "priority", "rm", "slots"],
        ["down", "first", "last", "up"],
        ["two"],
        [each["id"] for each in shell.json("devices")],
    ]
