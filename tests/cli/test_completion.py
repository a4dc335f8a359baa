"""What the tab key offers, and the bash script in a real bash."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from barista_tui.completion import SCRIPTS, candidates, script

BIN = Path(sys.executable).parent


def asked(root: Path | None, kind: str) -> list[str]:
    """Stands where the agent is asked; tells the root it was asked for."""
    return [f"{kind}-1", f"{kind}-2", f"of:{root}"]


def test_verbs_and_options_come_from_the_parser() -> None:
    assert candidates(["sn"], asked) == ["snapshot"]
    assert {"ls", "logs", "demo", "completion"} <= set(candidates([""], asked))
    assert candidates(["logs", "--fo"], asked) == ["--follow"]
    assert candidates(["--ro"], asked) == ["--root"]
    assert candidates(["nonsense", ""], asked) == []


def test_values_come_from_the_parser_or_the_agent() -> None:
    assert candidates(["completion", ""], asked) == ["bash", "fish", "zsh"]
    assert candidates(["pause", "--force", ""], asked) == ["kill", "term"]
    assert candidates(["agent", "st"], asked) == ["status", "stop"]
    assert candidates(["new", "--template", "templates-"], asked) == ["templates-1", "templates-2"]
    assert candidates(["new", "--caffe", "c"], asked) == ["caffes-1", "caffes-2"]


def test_sessions_are_offered_where_the_verb_takes_one() -> None:
    assert candidates(["show", "s"], asked) == ["sessions-1", "sessions-2"]
    assert candidates(["show", "one", ""], asked) == []
    assert candidates(["export", "one", "two", "s"], asked) == ["sessions-1", "sessions-2"]
    assert candidates(["logs", "-f", "s"], asked) == ["sessions-1", "sessions-2"]
    assert candidates(["rename", "one", ""], asked) == []
    assert candidates(["weights", "--stats", "s"], asked) == ["sessions-1", "sessions-2"]


def test_datasets_and_what_to_do_with_them() -> None:
    assert candidates(["input", "re"], asked) == ["reload", "rename", "restore"]
    assert candidates(["input", "show", "d"], asked) == ["datasets-1", "datasets-2"]
    assert candidates(["input", "add", "--kind", "hdf5"], asked) == ["hdf5", "hdf5-list"]
    assert candidates(["input", "add", ""], asked) == []
    assert candidates(["input", "hash", "--c"], asked) == ["--cancel"]


def test_hosts_and_what_to_do_with_them() -> None:
    assert candidates(["host", "a"], asked) == ["accept", "add"]
    assert candidates(["host", "rm", "h"], asked) == ["hosts-1", "hosts-2"]
    assert candidates(["--host", "h"], asked) == ["hosts-1", "hosts-2"]
    assert candidates(["host", "add", ""], asked) == []
    assert candidates(["host", "add", "--via", ""], asked) == ["asyncssh", "ssh"]


def test_what_only_another_host_knows_is_not_offered() -> None:
    assert candidates(["--host", "gpu01", "show", ""], asked) == []
    assert candidates(["--host", "local", "show", "s"], asked) == ["sessions-1", "sessions-2"]
    assert candidates(["--host", "gpu01", "move", "one", "--to", "h"], asked) == ["hosts-1", "hosts-2"]
    assert candidates(["restore", "t"], asked) == ["trash-1", "trash-2"]
    assert candidates(["trash", "empty", "one", "t"], asked) == ["trash-1", "trash-2"]


def test_the_root_given_is_the_root_asked() -> None:
    assert candidates(["--root", "/x", "show", "of"], asked) == ["of:/x"]
    assert candidates(["show", "--root", "/x", "of"], asked) == ["of:/x"]


def test_where_a_file_belongs_nothing_is_offered_so_that_the_shell_offers_files() -> None:
    assert candidates(["--root", ""], asked) == []
    assert candidates(["new", ""], asked) == []
    assert candidates(["import", ""], asked) == []
    assert candidates(["export", "-o", ""], asked) == []


def complete_in_bash(line: list[str], cwd: Path) -> list[str]:
    """COMPREPLY after the tab key at the end of ``line``, in a bash that has read the script as users do."""
    words = " ".join(f"'{word}'" for word in line)
    program = (
        f'source <("{BIN / "barista"}" completion bash); COMP_WORDS=({words}); COMP_CWORD={len(line) - 1}; '
        '_barista; printf "%s\\n" "${COMPREPLY[@]}"; complete -p barista >&2'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", program], capture_output=True, text=True, cwd=cwd, check=True, timeout=60
    )
    assert "-F _barista" in done.stderr
    return done.stdout.split()


def test_in_bash(tmp_path: Path) -> None:
    barista = str(BIN / "barista")
    assert complete_in_bash([barista, "compl"], tmp_path) == ["completion"]
    assert complete_in_bash([barista, "agent", ""], tmp_path) == ["status", "stop"]
    # No agent serves this root, and none is started for a press of a key.
    assert complete_in_bash([barista, "--root", str(tmp_path / "root"), "show", ""], tmp_path) == []
    assert not (tmp_path / "root").exists()


@pytest.mark.parametrize("shell", sorted(SCRIPTS))
def test_each_script_asks_the_program_that_is_completed(shell: str) -> None:
    text = script(shell)
    assert "_complete" in text
    assert text.endswith("\n") and not text.startswith("\n")
