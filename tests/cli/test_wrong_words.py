"""What is said to somebody who mistypes: the nearest right word, not forty of them."""

from __future__ import annotations

import argparse
import socket
from pathlib import Path

import pytest

from barista_server.remote.address import parse
from barista_server.remote.ssh import explained
from barista_tui.cli import main
from barista_tui.verbs.agentlink import target_of
from barista_tui.verbs.parser import build_parser


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("strat mine", "there is no 'strat', did you mean start?"),
        ("zzz", "there is no 'zzz', see: barista --help"),
        ("input hsah x", "argument WHAT: there is no 'hsah', did you mean hash?"),
        ("queue move mine sideways", "there is no 'sideways', there are: up, down, first, last"),
        ("edit mine", "required: net|solver"),
        ("agent", "required: status|stop"),
        ("completion tcsh", "there is no 'tcsh', there are: bash, zsh, fish"),
        ("--dir x ls", "--dir and --port go with --server"),
        ("--port 4300", "--dir and --port go with --server"),
    ],
)
def test_wrong_lines(line: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(line.split())
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("demo --host gpu01", 2, "There: barista new --template lenet-digits --start --host gpu01"),
        ("deploy mine -o net.zip", 2, "Archives end in .tar.gz or .tgz"),
        ("host move zork 1", 3, "there is no host 'zork'; there are: none"),
    ],
)
def test_what_is_refused_before_anything_is_asked(
    line: str, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(line.split()) == code
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["queue", "input", "host"])
def test_a_list_is_shown_when_no_word_follows(verb: str) -> None:
    args = build_parser().parse_args([verb])
    assert (args.what, args.json) == ("ls", False)
    assert build_parser().parse_args([verb, "ls", "--json"]).json


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("help", "barista new --template lenet-digits --name first --start"),
        ("help input add", "usage: barista input add"),
    ],
)
def test_help_is_a_word_too(line: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(line.split())
    assert said in capsys.readouterr().out


def test_this_machine_is_a_host_too(tmp_path: Path) -> None:
    assert target_of(argparse.Namespace(host="local", root=tmp_path)).root == tmp_path
    assert target_of(argparse.Namespace(host="local", root=tmp_path)).host is None


def test_a_name_that_nobody_knows_is_said_so() -> None:
    error = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    said = str(explained(error, parse("me@gpu1")))
    assert said == "gpu1 cannot be found: Name or service not known; is it written as in ~/.ssh/config?"
