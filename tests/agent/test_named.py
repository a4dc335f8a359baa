"""Data that a session's files name outside of its folder: found, found again elsewhere, and named anew."""

from __future__ import annotations

from pathlib import Path

from barista_server.agent.datasets.registry import Entry
from barista_server.agent.named import match, named, rewrite, single
from barista_server.api.datasets import DatasetFacts, DatasetKind
from barista_server.api.transfers import InputFound, ParcelInput

NET = """name: "n"  # kept
layer { type: "Data" data_param { source: "HERE/train" } transform_param { mean_file: "HERE/mean" } }
layer { type: "Data" data_param { source: 'HERE/train' } include { phase: TEST } }
layer { type: "HDF5Data" hdf5_data_param { source: "lists/h5.txt" } }
layer { type: "ImageData" image_data_param { source: "HERE/images/list" root_folder: "HERE/images/" } }
layer { type: "Data" data_param { source: "relative" } name: "HERE/trained" }
"""


def entry(number: int, path: Path, kind: DatasetKind, content: str, base: str = "") -> Entry:
    facts = DatasetFacts(kind=kind, size=1, files=1)
    return Entry(str(number), path.name, str(path), kind, facts, base, content)


def session(folder: Path, data: Path) -> Path:
    (folder / "lists").mkdir(parents=True)
    (folder / "net.prototxt").write_text(NET.replace("HERE", str(data)))
    (folder / "lists" / "h5.txt").write_text(f"{data}/one.h5\n{data}/two.h5\nlocal.h5\n")
    (folder / "solver.prototxt").write_text(f'weights: "{data}/a.caffemodel, {data}/b.caffemodel"\n')
    return folder


def filled(data: Path, train: str, images: str) -> list[Entry]:
    (data / train).mkdir(parents=True)
    (data / images).mkdir()
    for name in ("one.h5", "two.h5", f"{images}/list"):
        (data / name).write_text("")
    (data / "all.txt").write_text("two.h5\none.h5\n")
    return [
        entry(1, data / train, "lmdb", "t" * 64),
        entry(2, data / "all.txt", "hdf5-list", "h" * 64),
        entry(3, data / images / "list", "image-list", "i" * 64),
    ]


def test_named_where_they_are_on_the_other_host(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    mine = filled(here, "train", "images")
    folder = session(tmp_path / "session", here)
    inputs = named(folder, mine)
    assert [(one.path.removeprefix(f"{here}/"), one.dataset, one.item) for one in inputs] == [
        ("train", "1", -1),
        ("mean", "", -1),
        ("one.h5", "2", 1),
        ("two.h5", "2", 0),
        ("images/list", "3", -1),
        ("a.caffemodel", "", -1),
        ("b.caffemodel", "", -1),
    ]
    assert single(folder) == [str(here / name) for name in ("mean", "a.caffemodel", "b.caffemodel")]
    found = match(inputs, filled(there, "other", "pictures"))
    assert [one.there.removeprefix(f"{there}/") for one in found] == [
        "other", "", "one.h5", "two.h5", "pictures/list", "", ""
    ]  # fmt: skip
    assert all(one.same for one in found if one.there)
    brought = InputFound(path=str(here / "b.caffemodel"), there="brought/b.caffemodel")
    rewrite(folder, inputs, [*found[:-1], brought])
    after = NET.replace("'HERE/train'", '"HERE/train"').replace('"HERE/train" }', f'"{there}/other" }}')
    after = after.replace("HERE/images", f"{there}/pictures").replace("HERE", str(here))
    assert (folder / "net.prototxt").read_text() == after
    assert (folder / "lists/h5.txt").read_text() == f"{there}/one.h5\n{there}/two.h5\nlocal.h5\n"
    assert f'"{here}/a.caffemodel,brought/b.caffemodel"' in (folder / "solver.prototxt").read_text()
    # Once more changes nothing.
    assert rewrite(folder, [], []) == []


def test_the_same_path_will_do_unless_other_data_is_known_to_be_there(tmp_path: Path) -> None:
    place = tmp_path / "train"
    place.mkdir()
    wanted = ParcelInput(path=str(place), content="a" * 64)
    assert match([wanted], [])[0].there == str(place)
    found = match([wanted], [entry(1, place, "lmdb", "b" * 64)])[0]
    assert not found.there and "other data is there: bbbbbbbbbbbb" in found.problem
    # Data that changed since is not what its content id says; what is gone is not there.
    changed = entry(1, place, "lmdb", "a" * 64)
    changed.changed = True
    assert not match([wanted], [changed])[0].same
    assert not match(
        [ParcelInput(path="/none", content="a" * 64)], [entry(1, Path("/no"), "lmdb", "a" * 64)]
    )[0].there
