"""`barista logs` and `logs -f`: every line once, whatever happens to the agent."""

from __future__ import annotations

import os
import re
import signal
import subprocess

from .verbshell import BARISTA, Shell


def numbers(text: str) -> list[int]:
    """The scripted caffe numbers its lines in the place of the thread id."""
    return [int(number) for number in re.findall(r"^[IWEF]\d{8} [\d:.]+ +(\d+) ", text, re.MULTILINE)]


def test_a_whole_log_its_end_and_another_run(shell: Shell) -> None:
    shell.new("--start", max_iter=20)
    shell.barista("wait", "tiny")
    log = shell.log().read_text()
    assert shell.barista("logs", "tiny").stdout == log
    assert shell.barista("logs", "tiny", "-n", "3").stdout.splitlines() == log.splitlines()[-3:]
    assert shell.barista("logs", "tiny", "-n", "0").stdout == ""
    # The run is over, so following it ends at once.
    assert shell.barista("logs", "-f", "tiny", "-n", "2").stdout.splitlines() == log.splitlines()[-2:]
    assert shell.barista("logs", "--follow", "tiny").stdout.splitlines() == log.splitlines()[-20:]
    shell.barista("reset", "tiny")
    shell.barista("start", "tiny")
    shell.barista("wait", "tiny")
    both = shell.json("show", "tiny")["runs"]
    second = shell.log(run=both[-1]["number"]).read_text()
    assert shell.barista("logs", "tiny").stdout == second != log


def test_control_characters_are_shown_but_not_obeyed_unless_raw(shell: Shell) -> None:
    shell.new("--start", max_iter=10)
    shell.barista("wait", "tiny")
    line = b"\x1b[31mred\x07 \xff\n"
    with shell.log().open("ab") as log:
        log.write(line)
    shell.barista("agent", "stop")
    assert shell.barista("logs", "tiny").stdout.splitlines()[-1] == "red\ufffd \ufffd"
    program = [*BARISTA, "logs", "tiny", "--raw", "-n", "1"]

    done = subprocess.run(program, capture_output=True, env=shell.environment, timeout=60, check=True)
    assert done.stdout == line


def test_what_is_found_in_a_log(shell: Shell) -> None:
    shell.new("--start", max_iter=20, burst=2500)
    shell.barista("wait", "tiny")
    log = shell.log().read_text().splitlines()
    lines = [line for line in log if "burst" in line]
    assert shell.barista("logs", "tiny", "--grep", r"burst \d+").stdout.splitlines() == lines
    last = shell.barista("logs", "tiny", "--grep", "BURST", "--ignore-case", "--numbers", "-n", "1200").stdout
    assert (
        last.splitlines()
        == [f"{number}:{line}" for number, line in enumerate(log, 1) if "burst" in line][-1200:]
    )
    nothing = shell.barista("logs", "tiny", "--grep", "BURST", code=3)
    assert nothing.stdout == "" and "no line of run 1 of tiny has 'BURST'" in nothing.stderr
    assert "no regular expression: missing )" in shell.barista("logs", "tiny", "--grep", "(", code=4).stderr
    assert "not with --follow" in shell.barista("logs", "tiny", "-f", "--grep", "a", code=2).stderr
    assert "belong to --grep" in shell.barista("logs", "tiny", "--numbers", code=2).stderr
    copy = shell.files / "copy.log"
    shell.barista("logs", "tiny", "-o", str(copy))
    assert copy.read_text().splitlines() == log
    shell.barista("logs", "tiny", "--grep", "nowhere", "-o", str(copy), code=3)
    assert copy.read_text().splitlines() == log, "what was not found leaves an older file as it was"
    shell.barista("logs", "tiny", "--grep", r"burst \d+", "-o", str(copy))
    assert copy.read_text().splitlines() == lines and list(shell.files.glob("copy*")) == [copy]
    assert "not with --follow" in shell.barista("logs", "tiny", "-f", "-o", "x", code=2).stderr


def test_following_survives_kills_of_the_agent_without_losing_or_doubling_a_line(shell: Shell) -> None:
    shell.new("--start", max_iter=900, speed=100, burst=2000)
    copy = shell.files / "copy"
    with copy.open("wb") as out:
        follower = subprocess.Popen(
            [*BARISTA, "logs", "-f", "tiny", "-n", "9999999"], stdout=out, env=shell.environment
        )
    for mark in (100, 300, 500):
        shell.until(lambda mark=mark: f"Iteration {mark} " in copy.read_text(), f"iteration {mark}")
        os.kill(shell.agent_pid(), signal.SIGKILL)
    assert follower.wait(timeout=60) == 0
    text = copy.read_text()
    assert text == shell.log().read_text()
    assert numbers(text) == list(range(1, len(numbers(text)) + 1))
    assert "Optimization Done." in text.splitlines()[-1]


def test_a_slow_reader_gets_every_line_of_a_log_that_outgrows_it(shell: Shell) -> None:
    shell.new("--start", max_iter=400, speed=200, before=1.5, burst=150_000)
    follower = shell.begin("logs", "-f", "tiny", "-n", "100000000")
    assert follower.stdout is not None
    first = follower.stdout.readline()
    # The log grows by far more than pipes and queues hold while nobody reads.
    shell.barista("wait", "tiny")
    rest = follower.stdout.read()
    assert follower.wait(timeout=60) == 0
    assert first + rest == shell.log().read_text()
