"""`barista input`: datasets on the list, looked into, hashed, found."""

from __future__ import annotations

import base64
import shutil
import signal

import h5py

from tests.data import dataset_files as files

from .verbshell import Shell


def test_from_search_to_removal(shell: Shell) -> None:
    data = shell.files / "data"
    path = files.lmdb(data / "faces")
    assert "there is no folder" in shell.barista("input", "search", "--below", "/no/such", code=3).stderr
    found = shell.barista("input", "search", "--below", str(data)).stdout
    assert "lmdb" in found and str(path) in found and "1 dataset in 2 folders" in found

    added = shell.barista("input", "add", str(path)).stdout.splitlines()
    assert added[0] == "1  faces" and f"  path     {path}" in added
    assert "  samples  30" in added and "  labels   0..3" in added
    content = shell.json("input", "show", "faces")["content"]
    assert f"  content  {content}" in added
    head, row = shell.barista("input", "ls").stdout.splitlines()
    assert head.split() == ["ID", "NAME", "KIND", "SAMPLES", "SHAPE", "LABELS", "SIZE", "CONTENT"]
    assert (
        row.split()[:6] == ["1", "faces", "lmdb", "30", "3x4x5", "0..3"] and row.split()[-1] == content[:12]
    )

    assert "no samples from 99 on" in shell.barista("input", "samples", content[:10], "--start", "99").stdout
    (sample,) = shell.json("input", "samples", content[:10], "--start", "3", "--count", "1")
    assert (sample["index"], sample["labels"], sample["shape"]) == (3, [3], [3, 4, 5])
    assert base64.b64decode(sample["data"]) == files.datums()[3][1].data
    drawn = shell.barista("input", "thumbnails", "faces", "--count", "1").stdout.splitlines()
    assert [len(line) for line in drawn[:-1]] == [10] * 4 and drawn[-1] == "0: 0"
    bars = shell.barista("input", "histogram", "faces").stdout.splitlines()
    assert [line.split()[:2] for line in bars[:4]] == [["0", "8"], ["1", "8"], ["2", "7"], ["3", "7"]]
    assert bars[4] == "all 30 labels"

    removed = shell.barista("input", "rm", "faces").stdout
    assert "its files stay" in removed and "input restore 1" in removed and path.exists()
    assert "No datasets yet" in shell.barista("input", "ls").stdout
    assert shell.json("input", "restore", "1")["content"] == content


def test_a_list_of_files_is_made_and_changed(shell: Shell) -> None:
    (shell.files / "in").mkdir()
    one, two = files.hdf5(shell.files / "in/1.h5"), files.hdf5(shell.files / "in/2.h5", seed=2)
    path = shell.files / "list.txt"
    shell.barista("input", "list", str(path), "--add", str(one), code=3)
    made = shell.barista("input", "list", str(path), "--new", "--add", str(one.parent)).stdout
    assert "names 2 files now" in made and f"input add {path}" in made
    before = shell.json("input", "add", str(path))["content"]
    told = shell.barista("input", "list", str(path), "--rm", str(one)).stdout
    assert "names 1 file now" in told and "Dataset 1, list.txt, is hashed anew" in told
    assert shell.barista("input", "list", str(path)).stdout.splitlines() == [str(two)]
    after = shell.json("input", "hash", "1")
    assert after["content"] != before and not after["changed"]
    assert "does not name" in shell.barista("input", "list", str(path), "--rm", str(one), code=3).stderr


def test_what_is_refused_says_why(shell: Shell) -> None:
    path = files.hdf5(shell.files / "a.h5")
    shell.json("input", "add", str(path), "--name", "numbers")
    shutil.copy(path, shell.files / "b.h5")
    twice = shell.barista("input", "add", str(shell.files / "b.h5"), code=4).stderr
    assert f"{shell.files / 'b.h5'} holds the same data as 1, numbers" in twice
    assert "on the list already" in shell.barista("input", "add", str(path), code=4).stderr
    assert "there is no" in shell.barista("input", "add", "/no/such", code=3).stderr
    assert "no dataset 'x'" in shell.barista("input", "show", "x", code=3).stderr
    assert "takes a folder" in shell.barista("input", "roots", "add", code=2).stderr
    shell.barista("input", "hash", "numbers", "--cancel", code=4)
    with h5py.File(shell.files / "long.h5", "w") as file:  # 17 GB, of which none is written
        plan = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plan.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        plan.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        space = h5py.h5s.create_simple((1 << 15, 65535))
        h5py.h5d.create(file.id, b"data", h5py.h5t.STD_I64LE, space, plan)
    going = shell.begin("input", "add", str(shell.files / "long.h5"))
    shell.until(lambda: any(one["job"] for one in shell.json("input", "ls")), "it is hashed")
    going.send_signal(signal.SIGINT)
    _, said = going.communicate(timeout=30)
    assert going.returncode == 130 and "long.h5 is hashed all the same" in said
    shell.barista(*said.splitlines()[-1].partition("barista ")[2].split())
    assert not any(one.get("job") for one in shell.json("input", "ls"))

    files.hdf5(path, rows=9)
    told = shell.barista("input", "reload", "numbers").stdout
    assert "CHANGED since it was hashed" in told and "input hash 1" in told
    old = shell.json("input", "show", "1")
    new = shell.json("input", "hash", "1")
    assert old["changed"] and not new["changed"] and old["content"] != new["content"]
    roots = shell.json("input", "roots", "add", str(shell.files))["roots"]
    assert str(shell.files) in roots
    assert str(shell.files) not in shell.json("input", "roots", "rm", str(shell.files))["roots"]
