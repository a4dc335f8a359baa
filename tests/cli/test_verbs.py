"""The verbs on a real agent with a scripted caffe: what they print, and their exit codes."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys

import pytest

from .verbshell import BARISTA, Shell


def test_a_session_from_files_to_its_end(shell: Shell) -> None:
    made = shell.new("--name", "first", "--start", max_iter=30, extra="test_interval: 10\ntest_iter: 1\n")
    assert (made["name"], made["caffe"]) == ("first", "scripted")
    assert "Finished" in shell.barista("wait", "first").stdout
    shown = shell.barista("show", "first").stdout
    assert "iteration 30 of 30 (100 %)" in shown
    assert re.search(r"^  1, started .*, exit code 0, \d+ lines$", shown, re.MULTILINE)
    assert "iteration 30 " in shown
    header, row = shell.barista("ls").stdout.splitlines()
    assert row.split() == ["1", "first", "✔", "Finished", "30/30", "100", "%", "0.0025"]
    assert header.index("STATE") == row.index("✔")

    told = shell.barista("messages").stdout.splitlines()
    assert re.fullmatch(r"\[\d\d:\d\d:\d\d, Session 1\] created: first", told[0])
    assert shell.barista("messages", "-n", "1", "--caller", "session 1").stdout.splitlines() == told[-1:]
    assert shell.barista("messages", "--type", "errors").stdout == ""
    nobody = shell.barista("messages", "--caller", "zork")
    assert nobody.stdout == "" and "no message of 'zork' is kept, but of: Session 1" in nobody.stderr
    assert json.loads(shell.barista("messages", "--json").stdout)[0]["text"] == "created: first"

    exported = shell.barista("export", "csv", "first").stdout.splitlines()
    assert exported[:2] == [
        "# first TRAIN",
        "Iterations; Time; first.TRAIN.loss; first.TRAIN.lr; first.TRAIN.loss#0",
    ]
    assert [line.split("; ")[0] for line in exported[2:9]] == ["0", "5", "10", "15", "20", "25", "30"]
    assert exported[2].split("; ")[2:] == ["2.5", "0.01", "2.5"]
    assert exported[9:12] == ["", "# first TEST", "Iterations; Time; first.TEST.accuracy"]
    assert [line.split("; ")[0::2] for line in exported[12:]] == [
        ["0", "0"], ["10", "0.333333"], ["20", "0.5"], ["30", "0.6"],
    ]  # fmt: skip

    target = shell.files / "out.csv"
    shell.barista("export", "first", "1", "--rfc4180", "--series", "lr", "-o", str(target))
    rows = list(csv.reader(io.StringIO(target.read_bytes().decode(), newline="")))
    assert rows[0] == ["Session", "Phase", "Iterations", "Time", "lr"]
    assert [row[2] for row in rows[1:]] == ["0", "5", "10", "15", "20", "25"]

    plotted = shell.barista("plot", "first", "local:1", "--log", "--ascii").stdout
    assert plotted.splitlines()[0] == "first" and plotted.isascii() and "o train loss: last 0." in plotted
    points = shell.json("plot", "first", "--series", "test.accuracy")
    assert points[0]["x"] == [0, 10, 20, 30]
    said = shell.barista("plot", "first", "--plain", "--keys", "test.accuracy,lr", "--from", "10").stdout
    assert said.startswith("first lr: 4 points, iteration 10 to 25.")
    assert "At 10: 0.3333, 20: 0.5000, 30: 0.6000." in said
    files = [shell.files / f"plot.{kind}" for kind in ("svg", "png", "csv")]
    given = [word for path in files for word in (f"--{path.suffix[1:]}", str(path))]
    shell.barista("plot", "first", "--x", "time", "--keys", "test.*", "--log-right", *given)
    drawing, picture, table = (path.read_bytes() for path in files)
    assert b"<polyline" in drawing and picture.startswith(b"\x89PNG") and len(picture) > 10_000
    assert table.startswith(b"# first TEST\nIterations; Time; first.TEST.accuracy\n0; ")
    assert "no logarithm" in shell.barista("plot", "first", "--x", "clock", "--log-x", code=2).stderr


def test_pause_waits_for_a_verified_snapshot_and_start_goes_on_from_it(shell: Shell) -> None:
    shell.new("--start")
    shell.iterating("1")
    assert re.match(r"snapshot taken at iteration \d+: ", shell.barista("snapshot", "tiny").stdout)
    paused = shell.json("pause", "tiny")
    assert paused["state"] == "paused"
    newest = paused["snapshots"][-1]["iteration"]
    assert len(paused["snapshots"]) == 2
    assert newest == paused["iteration"]
    shell.barista("start", "tiny", "--snapshot", str(paused["snapshots"][0]["iteration"]))
    assert shell.iterating("tiny")["runs"][1]["resumed_from"] == paused["snapshots"][0]["iteration"]
    assert "Pausing" in shell.barista("pause", "--no-wait", "tiny").stdout
    assert "Paused" in shell.barista("wait", "tiny", "--state", "paused").stdout


def test_a_pause_that_is_interrupted_goes_on_and_force_ends_it(shell: Shell) -> None:
    shell.new("--start", deaf=True)
    shell.iterating("1")
    pause = shell.begin("pause", "tiny")
    shell.until(lambda: shell.json("show", "tiny")["state"] == "pausing", "pausing")
    pause.send_signal(signal.SIGINT)
    out, err = pause.communicate(timeout=30)
    assert pause.returncode == 130, err
    assert out == "" and "goes on pausing" in err
    assert shell.barista("wait", "tiny", "--state", "paused", "--timeout", "0.2", code=6).stderr
    ended = shell.json("pause", "tiny", "--force", "kill")
    assert ended["state"] not in ("running", "pausing")


def test_a_run_that_fails_is_told_with_its_reason_and_code(shell: Shell) -> None:
    shell.new("--start", fatal_at=20)
    waited = shell.barista("wait", "tiny", code=1)
    assert "tiny is failed" in waited.stderr and "out of memory" in waited.stderr
    assert "Check failed: error" in shell.barista("ls").stdout
    assert "out of memory" in shell.barista("show", "tiny").stdout


def test_reset_rm_and_restore_lose_nothing(shell: Shell) -> None:
    shell.new("--start", max_iter=10)
    shell.barista("wait", "tiny")
    trash = shell.json("reset", "tiny")
    assert trash["files"] > 0 and trash["size"] > 0
    assert shell.json("show", "tiny")["runs"] == []
    assert "Finished" in shell.barista("restore", trash["trash"]).stdout
    told = shell.barista("rm", "tiny").stdout
    assert re.search(r"^\d+ files, .* moved to the trash\.$", told, re.MULTILINE)
    restored = re.search(r"^Bring it back with: barista (restore \S+)$", told, re.MULTILINE)
    assert restored is not None
    assert shell.json("ls") == []
    shell.barista(*restored[1].split())
    assert "renamed" in shell.barista("rename", "tiny", "renamed").stdout
    assert [session["name"] for session in shell.json("ls")] == ["renamed"]


def test_errors_say_what_happened_and_have_their_own_codes(shell: Shell) -> None:
    assert "there is no session 'nobody'" in shell.barista("show", "nobody", code=3).stderr
    assert "no template 'nothing'" in shell.barista("new", "--template", "nothing", code=3).stderr
    shell.new()
    assert "never started" in shell.barista("logs", "tiny", code=4).stderr
    assert shell.barista("pause", "tiny", code=4).stderr.startswith("barista: tiny ")
    assert "no metrics yet" in shell.barista("plot", "tiny", code=3).stderr
    assert "is no state" in shell.barista("wait", "tiny", "--state", "bored", code=2).stderr
    assert "usage:" in shell.barista("start", code=2).stderr
    assert "needs a terminal" in shell.barista(code=2).stderr
    shell.barista("start", "tiny")
    assert "Running" in shell.barista("wait", "tiny", "--state", "running").stdout
    assert "has no run 7" in shell.barista("logs", "tiny", "--run", "7", code=3).stderr
    assert shell.barista("rm", "tiny", code=4).stderr


def test_invalid_files_make_an_invalid_session_with_line_and_hint(shell: Shell) -> None:
    (shell.files / "bad.prototxt").write_text('net: "net.prototxt"\nbase_lr: 0.1\nmomentun: 0.9\n')
    (shell.files / "net.prototxt").write_text('name: "x"\n')
    out = shell.barista("new", str(shell.files / "bad.prototxt")).stdout
    assert "Invalid" in out
    assert re.search(r"solver\.prototxt:\d+: .*momentun", out), out
    folder = str(shell.root / "sessions" / "1")
    assert f"Correct that in {folder}" in out
    told = shell.barista("start", "1", code=4).stderr
    # Each thing once, and what to do in the end.
    assert told.count("momentun") == 1 and told.splitlines()[0] == "barista: x cannot start as its files are:"
    assert told.splitlines()[-1].strip() == f"Correct that in {folder}, then start again."


def test_errors_name_what_there_is_instead(shell: Shell) -> None:
    assert "There are none yet." in shell.barista("show", "nobody", code=3).stderr
    assert "The trash is empty." in shell.barista("restore", "nothing", code=3).stderr
    shell.new()
    assert "1 (tiny)" in shell.barista("show", "nobody", code=3).stderr
    told = shell.barista("new", "--template", "lenet-digits", "--caffe", "zz", code=3).stderr
    assert "There are: scripted, embedded" in told
    assert "folder" in shell.barista("new", str(shell.files), code=3).stderr
    trash = shell.json("rm", "tiny")["trash"]
    assert trash in shell.barista("restore", "nothing", code=3).stderr

    # It lies there until it is emptied.
    (lying,) = shell.json("trash", "ls")
    assert (lying["trash"], lying["name"], lying["what"]) == (trash, "tiny", "delete") and lying["size"] > 0
    assert trash in shell.barista("trash").stdout
    assert "say what is to go" in shell.barista("trash", "empty", code=2).stderr
    assert "Nothing was deleted" in shell.barista("trash", "empty", trash, "other", code=3).stderr
    assert shell.json("trash", "empty", "--older-than", "1") == []
    assert shell.json("trash", "empty", trash) == [lying]
    assert "The trash is empty." in shell.barista("trash").stdout
    assert list((shell.root / "trash").iterdir()) == []
    assert shell.new()["id"] == "2", "its number is not used again"


def test_the_agent_is_looked_at_stopped_and_not_started_by_looking(shell: Shell) -> None:
    assert shell.barista("agent", "status", code=5).stdout.startswith("no agent runs")
    shell.new("--start")
    status = shell.json("agent", "status")
    assert (status["running"], status["trainings"], status["root"]) == (True, 1, str(shell.root))
    shell.barista("agent", "stop")
    assert shell.barista("agent", "status", code=5)
    before = shell.log().stat().st_size
    shell.until(lambda: shell.log().stat().st_size > before, "the training goes on without an agent")
    assert shell.json("show", "tiny")["state"] == "running"


def test_an_unusable_root_is_told(shell: Shell) -> None:
    (shell.root / "plain").write_text("")
    told = shell.barista("--root", str(shell.root / "plain"), "ls", code=5).stderr
    assert told.startswith("barista: ") and "plain" in told


def test_a_reader_that_has_enough_ends_the_verb_quietly(shell: Shell) -> None:
    shell.new("--start", burst=20_000, speed=200)
    shell.iterating("1")
    pipe = f"{' '.join(BARISTA)} logs tiny | head -n 3; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", pipe], capture_output=True, text=True, env=shell.environment, timeout=60, check=True
    )
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert len(lines) == 4 and lines[3] == "0"


def test_completion_in_bash_offers_sessions_of_a_running_agent(shell: Shell) -> None:
    shell.new("--name", "lenet-base")
    shell.new("--name", "two words")
    program = (
        f'barista() {{ {" ".join(BARISTA)} "$@"; }}; source <(barista completion bash); '
        'COMP_WORDS=(barista pause ""); COMP_CWORD=2; _barista; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", program], capture_output=True, text=True, env=shell.environment, timeout=60, check=True
    )
    # A name with a blank is offered as its id.
    assert done.stdout.split() == ["2", "lenet-base"]


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["export", "--help"]])
def test_help_loads_neither_messages_nor_event_loop(words: list[str]) -> None:
    script = (
        "import sys, barista_tui.cli\n"
        f"try: barista_tui.cli.main({words!r})\n"
        "except SystemExit: pass\n"
        "print(sorted({'asyncio', 'msgspec', 'rich', 'textual'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert "barista" in done.stdout


def test_colour_is_for_terminals_and_not_with_no_color(shell: Shell) -> None:
    shell.new()
    assert "\x1b" not in shell.barista("ls").stdout
    for extra, coloured in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
        environment = {"TERM": "xterm", **shell.environment, **extra}
        environment.pop("NO_COLOR", None) if not extra.get("NO_COLOR") else None
        assert ("\x1b[" in on_a_terminal(["ls"], environment)) is coloured


def on_a_terminal(words: list[str], environment: dict[str, str]) -> str:
    """Output of a verb whose standard output is a terminal."""
    ours, theirs = os.openpty()
    process = subprocess.Popen([*BARISTA, *words], stdout=theirs, stdin=theirs, env=environment)
    os.close(theirs)
    out = b""
    while True:
        try:
            data = os.read(ours, 4096)
        except OSError:
            break
        if not data:
            break
        out += data
    os.close(ours)
    assert process.wait(timeout=30) == 0
    return out.decode()
