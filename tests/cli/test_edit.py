"""`barista edit`: fields, texts, datasets, undo, and the person's own editor."""

from __future__ import annotations

import json
import os
import pty
from collections.abc import Iterator
from pathlib import Path

import pytest

from barista_tui.cli import main
from barista_tui.verbs.parser import build_parser

from .verbshell import Shell


@pytest.fixture(scope="module")
def one_shell() -> Iterator[Shell]:
    """One agent for both."""
    made = Shell()
    try:
        yield made
    finally:
        made.close()


def test_files_are_edited_without_a_screen(
    one_shell: Shell, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    shell = one_shell
    shell.new("--name", "one", max_iter=10)
    monkeypatch.setenv("BARISTA_ROOT", str(shell.root))
    folder = shell.root / "sessions" / "1"
    solver, net = folder / "solver.prototxt", folder / "net.prototxt"
    before, net_before = solver.read_bytes(), net.read_bytes()

    def barista(*words: str, code: int = 0) -> str:
        """In this process, which is quicker: what it prints, errors too."""
        assert main(["edit", "one", *words]) == code
        return b"".join(capfdbinary.readouterr()).decode()

    told = barista("solver", "--set", "base_lr=0.5", "--set", "momentum=0.9")
    assert told == "solver.prototxt: base_lr: 0.5; momentum: 0.9\n"
    assert solver.read_bytes() == before.replace(b"0.01", b"0.5") + b"momentum: 0.9\n"
    assert "base_lr is a number, not 'x'" in barista("solver", "--set", "base_lr=x", code=4)
    told = barista("solver", "--set", "lr_policy=stap", code=4)
    assert "solver.prototxt:4: Unknown learning rate policy: stap" in told and "--anyway" in told
    assert "lr_policy: stap" in barista("solver", "--set", "lr_policy=stap", "--anyway")
    assert barista("solver", "--undo", "2").startswith("solver.prototxt: undone: base_lr: 0.5; momentum: 0.9")
    assert solver.read_bytes() == before
    assert "nothing to undo" in barista("solver", "--undo", code=4)
    assert "momentum" in barista("solver", "--redo") and "momentum" in barista("solver", "--form")
    assert "left out" in barista("solver", "--unset", "momentum")

    # Layers by name; a whole file, byte for byte, in and out.
    told = barista("net", "--set", "layer.ip.inner_product_param.num_output=3", code=4)
    assert "net.prototxt:7: layer 'loss': Inputs must have the same dimension" in told
    assert "bias_term: no" in barista("net", "--set", "layer.ip.inner_product_param.bias_term=no")
    assert net.read_bytes() == net_before.replace(b"num_output: 1 ", b"num_output: 1 bias_term: false ")
    assert "did you mean" in barista("net", "--set", "layer.ipp.type=ReLU", code=4)
    assert barista("net", "--add-layer", "ReLU", "--layer", "ip") == (
        "net.prototxt: added relu1 (ReLU), reads ip\n"
    )
    assert "wants the --layer" in barista("net", "--remove-layer", code=2)
    assert "Unknown bottom blob 'label'" in barista("net", "--remove-layer", "--layer", "[0]", code=4)
    assert "nothing" not in barista("net", "--undo")
    assert "num_output" in json.dumps(json.loads(barista("net", "--form", "--layer", "ip", "--json")))
    file = shell.files / "other.prototxt"
    file.write_bytes(net_before.replace(b'bottom: "ip"', b'bottom: "no"') + b"# \xff end")
    assert "Unknown bottom blob 'no'" in barista("net", "--file", str(file), "--check", code=4)
    assert "Unknown bottom blob 'no'" in barista("net", "--file", str(file), code=4)
    file.write_bytes(net_before + b"# \xff end")
    assert barista("net", "--file", str(file)) == "net.prototxt: text of lines 6-8\n"
    assert main(["edit", "one", "net", "--print"]) == 0
    assert capfdbinary.readouterr()[0] == net.read_bytes() == file.read_bytes()

    assert "exclude each other" in barista("net", "--print", "--undo", code=2)
    assert "an editor needs a terminal" in barista("net", code=2)
    with pytest.raises(SystemExit):
        build_parser().parse_args(["edit", "one", "other"])


def test_a_dataset_is_given_to_a_layer_and_an_editor_is_opened(
    one_shell: Shell, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    shell = one_shell
    monkeypatch.setenv("BARISTA_ROOT", str(shell.root))
    made = shell.json("new", "--template", "lenet-digits", "--name", "two", "--caffe", "scripted")
    net = Path(made["folder"]) / "net.prototxt"
    shell.barista("input", "add", net.read_text().split('source: "')[2].split('"')[0], "--name", "digits")

    def barista(*words: str, code: int = 0) -> str:
        assert main(["edit", "two", *words]) == code
        return b"".join(capfdbinary.readouterr()).decode()

    told = barista("net", "--layer", "digits", "--input", "digits", code=3)
    assert "has 2 layers 'digits'" in told and "[0] (TRAIN), [1] (TEST)" in told
    told = barista("net", "--layer", "[0]", "--input", "digits")
    assert "layer[0].data_param.source: " in told and "digits_test_lmdb; layer[0]" in told
    assert net.read_text().count("digits_test_lmdb") == 2
    assert "reads no dataset" in barista("net", "--layer", "conv1", "--input", "digits", code=4)

    # The editor: what it leaves is checked, and can be mended before it is taken.
    editor = shell.files / "editor"
    editor.write_text("#!/bin/sh\nsed -i 's/^max_iter.*/max_iter: 7/' \"$1\"\n")
    editor.chmod(0o755)
    main_end, other_end = pty.openpty()
    with os.fdopen(other_end, "r+b", buffering=0) as terminal:
        monkeypatch.setenv("EDITOR", str(editor))
        monkeypatch.delenv("VISUAL", raising=False)
        monkeypatch.setattr("sys.stdin", os.fdopen(os.dup(terminal.fileno()), "r"))
        monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
        assert barista("solver").startswith("solver.prototxt: text of line 17\n")
        assert barista("solver") == "Nothing was changed.\n"
        editor.write_text("#!/bin/sh\necho 'max_iter: {' >> \"$1\"\n")
        os.write(main_end, b"n\n")
        told = barista("solver", code=4)
        assert "this is no solver.prototxt" in told
        kept = Path(told.partition("--file ")[2].split()[0])
        assert kept.read_text().endswith("max_iter: {\n")
        kept.unlink()
    os.close(main_end)
