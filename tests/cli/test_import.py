"""`barista import`: logs of others, by the verbs that show sessions."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from ..log.log_results import FIXTURES
from .verbshell import BARISTA, Shell


@pytest.fixture
def log(shell: Shell) -> Path:
    """A finished training, years ago."""
    path = shell.files / "lenet.log"
    shutil.copy(FIXTURES / "local2026-glog06-year.log", path)
    os.utime(path, (0, path.stat().st_mtime - 30 * 86_400))
    return path


def line(text: str) -> str:
    return time.strftime("I%Y%m%d %H:%M:%S.000001 4711 solver.cpp:1] ") + text + "\n"


def test_an_imported_log_is_listed_shown_and_exported(shell: Shell, log: Path) -> None:
    done = shell.barista("import", str(log))
    assert done.stdout == "1  lenet  ✔ Finished at iteration 500\n  1 run in 589 lines, 25.3 kB\n"
    shell.new("--name", "mine")
    rows = [row.split() for row in shell.barista("ls").stdout.splitlines()]
    assert [row[:3] for row in rows] == [
        ["ID", "NAME", "KIND"],
        ["2", "mine", "session"],
        ["1", "lenet", "log"],
    ]
    assert rows[2][3:] == ["✔", "Finished", "500/500", "100", "%", "0.0026"]
    told = {each["name"]: each for each in shell.json("ls")}
    assert told["lenet"]["kind"] == "log"
    assert (told["lenet"]["log"]["path"], told["lenet"]["log"]["lines"]) == (str(log), 589)
    assert (told["mine"]["kind"], told["mine"]["log"]) == ("session", None)
    shown = shell.barista("show", "lenet").stdout
    assert f"log file       {log}" in shown and "took 23 s, finished, 589 lines" in shown
    assert shell.barista("logs", "lenet").stdout == log.read_text()
    assert shell.barista("logs", "-f", "lenet", "-n", "1").stdout == log.read_text().splitlines()[-1] + "\n"
    table = shell.barista("export", "lenet", "--series", "test.accuracy").stdout.splitlines()
    assert table[-1].startswith("500; ") and table[-1].endswith("; 0.989899")
    assert "loss" in shell.barista("plot", "lenet").stdout
    assert shell.barista("wait", "lenet").stdout == "1  lenet  ✔ Finished at iteration 500\n"


def test_a_table_of_sessions_alone_is_as_it_was(shell: Shell) -> None:
    shell.new()
    assert "KIND" not in shell.barista("ls").stdout


def test_a_relative_path_means_this_folder(shell: Shell, log: Path) -> None:
    program = [*BARISTA, "import", log.name, "--name", "named"]
    done = subprocess.run(program, cwd=log.parent, env=shell.environment, capture_output=True, check=True)
    assert b"named" in done.stdout
    assert shell.json("show", "named")["log"]["path"] == str(log)


def test_what_cannot_be_imported_is_said_with_the_code_for_it(shell: Shell, log: Path) -> None:
    shell.barista("import", str(log))
    again = shell.barista("import", str(log), code=4).stderr
    assert again.splitlines()[0] == f"barista: {log} is imported already: it is 1, lenet"
    missing = shell.barista("import", str(log.with_name("no.log")), code=3).stderr
    assert missing == (
        f"barista: there is no file {log.with_name('no.log')}\n"
        f"  There is {log.parent}, and nothing called no.log in it.\n"
    )
    assert "no solver is in it" in shell.barista("import", str(log.parent), code=4).stderr
    odd = os.fsdecode(b"/tmp/\xff.log")
    assert "no text in UTF-8" in shell.barista("import", odd, code=4).stderr
    shell.barista("import", code=2)


def test_it_is_watched_and_nothing_else(shell: Shell, log: Path) -> None:
    before = log.read_bytes()
    shell.barista("import", str(log))
    for words in (("start",), ("pause",), ("snapshot",), ("reset",)):
        refused = shell.barista(*words, "lenet", code=4).stderr
        assert refused.startswith("barista: lenet is an imported log: "), words
    assert shell.barista("rename", "lenet", "theirs").stdout.startswith("1  theirs  ")
    removed = shell.barista("rm", "theirs").stdout.splitlines()
    assert removed[0] == "It is off the list; the log itself stays where it is."
    assert log.read_bytes() == before
    assert shell.json("ls") == []
    shell.barista(*removed[1].partition("barista ")[2].split())
    assert [each["name"] for each in shell.json("ls")] == ["theirs"]


def test_following_goes_on_past_ends_kills_and_another_file(shell: Shell, tmp_path: Path) -> None:
    path, out = tmp_path / "live.log", tmp_path / "out"
    first = line("Use CPU.") + line("Iteration 0, loss = 2")
    path.write_text(first)
    shell.barista("import", str(path))
    with out.open("wb") as copy:
        follower = subprocess.Popen(
            [*BARISTA, "logs", "-f", "live"], stdout=copy, stderr=subprocess.DEVNULL, env=shell.environment
        )
    shell.until(lambda: out.read_text() == first, "what there was")
    os.kill(shell.agent_pid(), signal.SIGKILL)
    more = line("Iteration 10, loss = 1")
    with path.open("a") as log:
        log.write(more)
    shell.until(lambda: out.read_text() == first + more, "what came after the kill")
    anew = line("Iteration 20, loss = 0.5")
    path.write_text(anew)
    shell.until(lambda: out.read_text() == first + more + anew, "what the new file says")
    last = line("Optimization Done.")
    with path.open("a") as log:
        log.write(last)
    assert follower.wait(timeout=30) == 0
    assert out.read_text() == first + more + anew + last
