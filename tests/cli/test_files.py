"""Which files `barista new SOLVER` reads, and what relative paths in them mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from barista_tui.verbs.errors import Exit, VerbError
from barista_tui.verbs.new import Files, read_files


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A source tree as Caffe's: solvers name nets relative to its top."""
    folder = tmp_path / "caffe" / "examples" / "mnist"
    folder.mkdir(parents=True)
    (folder / "solver.prototxt").write_text('# net: "no.prototxt"\nnet: "examples/mnist/net.prototxt"\n')
    (folder / "net.prototxt").write_text('name: "LeNet"\n')
    (folder / "beside.prototxt").write_text("base_lr: 0.1 net: 'net.prototxt' max_iter: 9")
    (folder / "inline.prototxt").write_text('net_param { name: "x" } base_lr: 0.1\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path / "caffe"


def test_the_net_is_found_from_a_folder_above_the_solver(tree: Path) -> None:
    files = read_files(tree / "examples/mnist/solver.prototxt", None, None)
    assert files.net == 'name: "LeNet"\n'
    assert files.base == tree


def test_the_folder_one_is_in_comes_first_as_with_caffe(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = tree.parent / "here"
    (here / "examples/mnist").mkdir(parents=True)
    (here / "examples/mnist/net.prototxt").write_text('name: "mine"')
    monkeypatch.chdir(here)
    files = read_files(tree / "examples/mnist/solver.prototxt", None, None)
    assert (files.net, files.base) == ('name: "mine"', here)


def test_a_net_beside_the_solver_and_in_single_quotes(tree: Path) -> None:
    files = read_files(Path("caffe/examples/mnist/beside.prototxt"), None, None)
    assert (files.net, files.base) == ('name: "LeNet"\n', tree / "examples/mnist")


def test_a_net_given_wins_and_a_net_inside_the_solver_needs_no_file(tree: Path) -> None:
    folder = tree / "examples/mnist"
    given = read_files(folder / "solver.prototxt", folder / "net.prototxt", folder)
    assert (given.net, given.base) == ('name: "LeNet"\n', folder)
    inline = (folder / "inline.prototxt").read_text()
    assert read_files(folder / "inline.prototxt", None, None) == Files(inline, "", tree.parent)


def test_what_is_missing_is_named(tree: Path) -> None:
    with pytest.raises(VerbError, match=r"there is no file nothing\.prototxt") as missing:
        read_files(Path("nothing.prototxt"), None, None)
    assert missing.value.code is Exit.NOT_FOUND
    with pytest.raises(VerbError, match=r'names the net "examples/mnist/net.prototxt"') as lost:
        read_files(tree / "examples/mnist/solver.prototxt", None, tree.parent)
    assert lost.value.hint is not None and "--net" in lost.value.hint
    (tree / "weights").write_bytes(b"\x80\x81\xff")
    with pytest.raises(VerbError, match="no text file"):
        read_files(tree / "weights", None, None)
