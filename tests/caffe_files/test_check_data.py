"""Data, weights and files that a session needs: each fault is found before the start, with line and hint."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from barista_server.caffe.check import Problem, check_session
from barista_server.caffe.schema import BlobProto, Datum
from barista_server.data.lmdb_head import LmdbHead, first_value, lmdb_head
from barista_server.data.lmdb_io import DatumReader, write_datums

from .small_project import (
    NET,
    TRAIN_DATA,
    change,
    records,
    write_mean,
    write_project,
)


@pytest.fixture
def session(tmp_path: Path) -> Path:
    return write_project(tmp_path)


def only(session: Path) -> Problem:
    problems = check_session(session)
    assert len(problems) == 1, problems
    return problems[0]


def test_the_project_is_sound(session: Path) -> None:
    assert check_session(session) == []


# ------------------------------------------------------------------------------------------------ databases


def junk(session: Path) -> None:
    (session / "db/data.mdb").write_bytes(b"junk" * 4000)


def cut(session: Path) -> None:
    path = session / "db/data.mdb"
    os.truncate(path, 5000)


def cut_by_a_page(session: Path) -> None:
    shutil.rmtree(session / "db")
    write_datums(session / "db", records(2000))
    path = session / "db/data.mdb"
    os.truncate(path, path.stat().st_size - 4096)


def emptied(session: Path) -> None:
    shutil.rmtree(session / "db")
    write_datums(session / "db", [])


def no_datum(session: Path) -> None:
    import lmdb

    shutil.rmtree(session / "db")
    with lmdb.open(str(session / "db")) as made, made.begin(write=True) as transaction:
        transaction.put(b"0", b"\xff\xff\xff")


@pytest.mark.parametrize(
    ("damage", "message", "severity"),
    [
        (junk, "'db' is not an LMDB: its data.mdb holds something else", "error"),
        (cut, "the LMDB 'db' is cut short", "error"),
        (cut_by_a_page, "the LMDB 'db' is shorter than it says", "warning"),
        (emptied, "the LMDB 'db' holds no records", "error"),
        (no_datum, "the first record of 'db' cannot be read", "error"),
    ],
)
def test_damaged_databases(
    session: Path, damage: Callable[[Path], None], message: str, severity: str
) -> None:
    damage(session)
    problem = only(session)
    assert (problem.file, problem.line, problem.severity) == ("net.prototxt", 6, severity)
    assert problem.message.startswith(f"layer 'data': {message}") and problem.hint


def test_the_head_of_an_lmdb(session: Path) -> None:
    assert lmdb_head(session / "db") == LmdbHead(4, whole=True, usable=True)
    data = (session / "db/data.mdb").read_bytes()
    for size in range(0, len(data), 100):
        (session / "db/data.mdb").write_bytes(data[:size])
        head = lmdb_head(session / "db")
        assert head is None or not head.usable
        assert check_session(session)


def leveldb(path: Path, count: int = 3) -> None:
    plyvel = pytest.importorskip("plyvel")
    made = plyvel.DB(str(path), create_if_missing=True)
    for key, datum in records(count):
        made.put(key, datum.SerializeToString())
    made.close()


def test_a_leveldb_for_both_nets(session: Path) -> None:
    leveldb(session / "level")
    for name in ("db", "dbt"):
        change(session / "net.prototxt", f'"{name}" batch_size: 2 backend: LMDB', '"level" batch_size: 2')
    problem = next(one for one in check_session(session) if one.severity == "error")
    assert (problem.line, problem.hint) == (
        11,
        "by layer 'data' of the TRAIN net: it takes one reader, so use a copy or an LMDB",
    )
    leveldb(session / "other")
    change(
        session / "net.prototxt",
        '"level" batch_size: 2 }\n}\nlayer {\n  name: "conv"',
        '"other" batch_size: 2 }\n}\nlayer {\n  name: "conv"',
    )
    assert check_session(session) == []


def test_a_leveldb_in_use(session: Path) -> None:
    leveldb(session / "level")
    change(session / "net.prototxt", '"db" batch_size: 2 backend: LMDB', '"level" batch_size: 2')
    code = "import plyvel, sys; held = plyvel.DB(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(session / "level")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert holder.stdout and holder.stdout.readline()
    problem = only(session)
    assert problem.line == 6
    assert (
        problem.message
        == f"layer 'data': 'level' is in use by process {holder.pid}: a LevelDB takes one reader"
    )
    holder.communicate()
    assert check_session(session) == []


def test_an_empty_leveldb(session: Path) -> None:
    leveldb(session / "level", 0)
    change(session / "net.prototxt", '"db" batch_size: 2 backend: LMDB', '"level" batch_size: 2')
    assert only(session).message == "layer 'data': the LevelDB 'level' holds no records"


def test_testing_on_what_is_trained_on(session: Path) -> None:
    change(session / "net.prototxt", '"dbt"', '"./db"')
    problem = only(session)
    assert (problem.line, problem.severity) == (11, "warning")
    assert problem.message == "layer 'data': the TEST net reads the data that is trained on"


def test_data_on_another_host(session: Path) -> None:
    change(session / "net.prototxt", '"db"', '"/mnt/elsewhere/db"')
    assert only(session).hint == (
        "correct the path, or put it at /mnt/elsewhere/db; "
        "it may be on another host, as its folder is not here either"
    )


# ------------------------------------------------------------------------------------------------ mean files


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ('mean_file: "nothing"', "'nothing' does not exist"),
        ('mean_file: "mean6"', "the mean of 'mean6' is 1 x 6 x 6, but the records are 1 x 8 x 8"),
        (
            'crop_size: 8 mean_file: "mean3"',
            "the mean of 'mean3' is 3 x 8 x 8, but the records are 1 x 8 x 8",
        ),
        ('mean_file: "list.txt"', "'list.txt' is no mean file: "),
        ('mean_file: "db"', "'db' "),
        ('mean_file: "mean" mean_value: 3', "Cannot specify mean_file and mean_value at the same time"),
        ("mean_value: 3 mean_value: 4", "Specify either 1 mean_value or as many as channels: 1"),
    ],
)
def test_means_that_do_not_fit(session: Path, setting: str, message: str) -> None:
    change(session / "net.prototxt", "scale: 0.01", setting)
    problem = only(session)
    assert (problem.file, problem.line, problem.severity) == ("net.prototxt", 5, "error")
    assert problem.message.startswith(f"layer 'data': {message}") and problem.hint


@pytest.mark.parametrize("setting", ['mean_file: "mean"', 'crop_size: 8 mean_file: "mean"', "mean_value: 3"])
def test_means_that_fit(session: Path, setting: str) -> None:
    change(session / "net.prototxt", "scale: 0.01", setting)
    assert check_session(session) == []


def test_the_axes_of_a_mean_count_from_the_first(session: Path) -> None:
    """A mean of three axes is read with its first one as number of images."""
    change(session / "net.prototxt", "scale: 0.01", 'mean_file: "m"')
    blob = BlobProto(data=[1.0] * 64)
    blob.shape.dim.extend([1, 8, 8])
    (session / "m").write_bytes(blob.SerializeToString())
    assert "is 8 x 8 x 1, but the records are 1 x 8 x 8" in only(session).message


def test_means_of_images(session: Path) -> None:
    layer = image_layer("is_color: false new_height: 8 new_width: 8")
    change(
        session / "net.prototxt",
        TRAIN_DATA,
        layer.replace("image_data", 'transform_param { mean_file: "mean6" } image_data', 1),
    )
    (session / "images.txt").write_text("picture.png 0\n")
    assert "the mean of 'mean6' is 1 x 6 x 6, but the records are 1 x 8 x 8" in only(session).message


# ---------------------------------------------------------------------------------------------------- lists


def image_layer(extra: str = "") -> str:
    return (
        'layer { name: "data" type: "ImageData" top: "data" top: "label" include { phase: TRAIN }\n'
        f'  image_data_param {{ source: "images.txt" batch_size: 2 {extra} }} }}\n'
    )


@pytest.mark.parametrize(
    ("lines", "extra", "message", "severity"),
    [
        ("none.png 0\npicture.png 1\n", "", "'none.png', line 1 of 'images.txt', does not exist", "error"),
        ("picture.png 0\nx 1\ny 2\n", "", "'x', line 2 of 'images.txt', does not exist, nor", "warning"),
        ("picture.png 0\n", 'root_folder: "no/"', "'no/picture.png', line 1 of 'images.txt', does", "error"),
        ("list.txt 0\n", "", "the first image of 'images.txt' does not look like one", "warning"),
        ("", "", "'images.txt' is empty", "error"),
    ],
)  # fmt: skip
def test_lists_of_images(session: Path, lines: str, extra: str, message: str, severity: str) -> None:
    change(session / "net.prototxt", TRAIN_DATA, image_layer(extra))
    (session / "images.txt").write_text(lines)
    problem = only(session)
    assert (problem.line, problem.severity) == (3, severity)
    assert problem.message.startswith(f"layer 'data': {message}") and problem.hint


def test_a_list_of_images_that_is_absent_or_sound(session: Path) -> None:
    change(session / "net.prototxt", TRAIN_DATA, image_layer())
    assert only(session).message == "layer 'data': 'images.txt' does not exist"
    (session / "images.txt").write_text("picture.png 0\n")
    assert check_session(session) == []


WINDOWS = """layer { name: "data" type: "WindowData" top: "data" top: "label" include { phase: TRAIN }
  transform_param { crop_size: 8 } window_data_param { source: "windows.txt" batch_size: 2 } }
"""


def test_window_files(session: Path) -> None:
    change(session / "net.prototxt", TRAIN_DATA, WINDOWS)
    assert "'windows.txt' does not exist" in only(session).message
    (session / "windows.txt").write_text("picture.png 3 8 8\n")
    assert only(session).message == "layer 'data': 'windows.txt' is no window file"
    (session / "windows.txt").write_text("# 0\nnone.png\n1 8 8 1\n1 0.9 0 0 5 5\n")
    problem = only(session)
    assert (problem.line, problem.severity) == (3, "warning") and "'none.png'" in problem.message
    (session / "windows.txt").write_text("# 0\npicture.png\n1 8 8 1\n1 0.9 0 0 5 5\n")
    assert check_session(session) == []


HDF5 = """layer { name: "data" type: "HDF5Data" top: "data" include { phase: TRAIN }
  top: "label" hdf5_data_param { source: "list.txt" batch_size: 2 } }
"""


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("hdf5_data", "transform_param { scale: 1 } hdf5_data", 3, "HDF5Data does not transform data."),
        ('top: "label"', 'top: "label" top: "words"', 3, "dataset 'words' of 'a.h5' holds "),
        ('top: "label"', 'top: "label"\n top: "more"', 4, "'a.h5' has no dataset 'more'"),
        ('"list.txt"', '"picture.png"', 3, "'?PNG', listed in 'picture.png', does not exist"),
    ],
)
def test_hdf5(session: Path, old: str, new: str, line: int, message: str) -> None:
    change(session / "net.prototxt", TRAIN_DATA, HDF5)
    assert check_session(session) == []
    change(session / "net.prototxt", old, new)
    problem = check_session(session)[0]
    assert (problem.line, problem.severity) == (line, "error")
    assert problem.message.startswith(f"layer 'data': {message}")
    assert problem.message.encode()


def test_data_that_nobody_brings(session: Path) -> None:
    memory = """layer { name: "data" type: "MemoryData" top: "data" top: "label" include { phase: TRAIN }
    memory_data_param { batch_size: 2 channels: 1 height: 8 width: 8 } }
    """
    change(session / "net.prototxt", TRAIN_DATA, memory)
    problem = only(session)
    assert (problem.line, problem.severity) == (2, "error") and "from a program" in problem.message
    shapes = "shape { dim: 2 dim: 1 dim: 8 dim: 8 } shape { dim: 2 }"
    given = memory.replace("MemoryData", "Input").replace(
        "memory_data_param { batch_size: 2 channels: 1 height: 8 width: 8 }", f"input_param {{ {shapes} }}"
    )
    change(session / "net.prototxt", memory, given)
    problem = only(session)
    assert (problem.line, problem.severity) == (2, "warning") and "nothing fills an Input" in problem.message


def test_other_files_of_layers(session: Path) -> None:
    change(
        session / "net.prototxt", '"SoftmaxWithLoss"', '"InfogainLoss" infogain_loss_param { source: "h" }'
    )
    assert only(session).message == "layer 'loss': 'h' does not exist"
    change(
        session / "net.prototxt", '"InfogainLoss" infogain_loss_param { source: "h" }', '"SoftmaxWithLoss"'
    )
    output = """layer { name: "o" type: "HDF5Output" bottom: "ip" bottom: "label"
    hdf5_output_param { file_name: "no/o.h5" } }
    """
    change(session / "net.prototxt", 'layer { name: "acc"', output + 'layer { name: "acc"')
    problems = check_session(session)
    assert {one.message for one in problems} == {"layer 'o': the folder of 'no/o.h5' does not exist"}


def test_data_of_any_age_is_looked_at_with_care(session: Path) -> None:
    """Names with a zero byte, far too long ones, a folder for a file: told, never a crash."""
    for name in ("a\\000b", "x" * 5000, "."):
        (session / "net.prototxt").write_text(NET.replace('"db"', f'"{name}"'))
        assert only(session).line == 6
        (session / "net.prototxt").write_text(NET.replace("scale: 0.01", f'mean_file: "{name}"'))
        assert only(session).line == 5


def test_a_datum_without_label_is_sound(session: Path) -> None:
    shutil.rmtree(session / "db")
    write_datums(session / "db", [(b"0", Datum(channels=1, height=8, width=8, data=bytes(64)))])
    with h5py.File(session / "b.h5", "w") as file:
        file["data"] = np.zeros((4, 1), np.float32)
    write_mean(session / "unused", (1, 1, 2, 2))
    assert check_session(session) == []


@pytest.mark.parametrize(("count", "size"), [(1, 4), (300, 8), (5000, 8), (40, 100)])
def test_the_first_record_is_the_one_lmdb_gives(count: int, size: int, tmp_path: Path) -> None:
    """In the root page, below branches, in pages of its own."""
    write_datums(tmp_path / "db", records(count, size))
    assert first_value(tmp_path / "db") == DatumReader(tmp_path / "db").datum(0).SerializeToString()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(places=st.lists(st.tuples(st.integers(0, 40_959), st.integers(0, 255)), min_size=1, max_size=40))
def test_damaged_databases_are_told_or_read(tmp_path: Path, places: list[tuple[int, int]]) -> None:
    """Nothing ends the process: mapped, one in some hundred of these is a SIGBUS."""
    if not (tmp_path / "sound").exists():
        write_datums(tmp_path / "sound", records(300))
        (tmp_path / "db").mkdir()
    data = bytearray((tmp_path / "sound/data.mdb").read_bytes())
    assert len(data) == 40_960
    for place, value in places:
        data[place] = value
    (tmp_path / "db/data.mdb").write_bytes(data)
    try:
        lmdb_head(tmp_path / "db")
        first_value(tmp_path / "db")
    except (ValueError, LookupError):
        pass


def test_sources_that_are_something_else(session: Path) -> None:
    """A pipe is not waited for, an HDF5 file not taken for a list of such."""
    os.mkfifo(session / "pipe")
    for layer in (HDF5, image_layer(), WINDOWS):
        named = re.sub(r'source: "[^"]*"', 'source: "pipe"', layer)
        (session / "net.prototxt").write_text(NET.replace(TRAIN_DATA, named))
        assert only(session).message == "layer 'data': 'pipe' cannot be read: it is no regular file"
    (session / "net.prototxt").write_text(NET.replace(TRAIN_DATA, HDF5.replace("list.txt", "a.h5")))
    assert only(session).message == "layer 'data': 'a.h5' is an HDF5 file, not a list of such"
