"""Datasets of every kind: what they are, what is in them, and content ids that only the content decides."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from blake3 import blake3

from barista_server.api.datasets import DatasetFacts, DatasetKind
from barista_server.caffe.schema import Datum
from barista_server.data.datasets.content import SEGMENT, content_id, segments
from barista_server.data.datasets.kinds import open_source, settle, within
from barista_server.data.datasets.labels import LabelCount
from barista_server.data.datasets.pictures import decode, thumbnail
from barista_server.data.datasets.searching import search
from barista_server.data.datasets.source import DatasetError
from barista_server.data.datasets.stamps import stamp

from . import dataset_files as files

MAKERS: dict[DatasetKind, Callable[[Path], Path]] = {
    "lmdb": lambda folder: files.lmdb(folder / "db"),
    "leveldb": lambda folder: files.leveldb(folder / "ldb"),
    "hdf5": lambda folder: files.hdf5(folder / "a.h5"),
    "hdf5-list": lambda folder: files.hdf5_list(
        folder / "list.txt", files.hdf5(folder / "a.h5", 12), files.hdf5(folder / "b.h5", 8, 2)
    ),
    "image-list": lambda folder: files.images(folder / "images"),
}
KINDS = sorted(MAKERS)


def content(path: Path) -> str:
    place, kind = settle(path, None)
    source = open_source(place, kind)
    try:
        found = list(segments(source.records(None)))
    finally:
        source.close()
    return content_id(kind, [one.digest for one in found], found[-1].records if found else 0)


def facts(path: Path) -> DatasetFacts:
    source = open_source(*settle(path, None))
    try:
        return source.facts()
    finally:
        source.close()


# ------------------------------------------------------------------------------------------------ what it is


def test_a_path_tells_its_kind(tmp_path: Path) -> None:
    for kind, make in MAKERS.items():
        folder = tmp_path / kind
        folder.mkdir()
        assert settle(make(folder), None)[1] == kind
    assert settle(tmp_path / "lmdb" / "db" / "data.mdb", None) == (tmp_path / "lmdb" / "db", "lmdb")
    (tmp_path / "notes.txt").write_text("hello, world\n")
    for path, text in ((tmp_path, "holds no"), (tmp_path / "notes.txt", "no dataset of a kind")):
        with pytest.raises(DatasetError, match=text):
            settle(path, None)
    with pytest.raises(FileNotFoundError):
        settle(tmp_path / "none", None)
    assert settle(tmp_path / "notes.txt", "image-list")[1] == "image-list"


@pytest.mark.parametrize("kind", ["lmdb", "leveldb"])
def test_facts_of_a_database(kind: DatasetKind, tmp_path: Path) -> None:
    path = MAKERS[kind](tmp_path)
    found = facts(path)
    assert (found.kind, found.samples, found.encoded, found.varying) == (kind, 30, False, False)
    assert [(top.name, top.shape, top.dtype) for top in found.tops] == [
        ("data", [3, 4, 5], "uint8"),
        ("label", [], "int32"),
    ]
    assert (found.labels, found.label_low, found.label_high, found.labels_seen) == ("integers", 0, 3, 30)
    assert found.size > 30 * 60 and found.files == 1


def test_facts_of_hdf5(tmp_path: Path) -> None:
    found = facts(MAKERS["hdf5-list"](tmp_path))
    assert (found.samples, found.files, found.varying) == (20, 3, False)
    assert [(top.name, top.shape, top.dtype) for top in found.tops] == [
        ("data", [3, 4, 5], "float32"),
        ("label", [], "int32"),
    ]
    assert (found.labels, found.label_low, found.label_high) == ("integers", 0, 6)
    with h5py.File(tmp_path / "b.h5", "a") as file:
        del file["data"]
        file["data"] = np.zeros((8, 2), np.float32)
    assert facts(tmp_path / "list.txt").varying


def test_facts_of_a_list_of_images(tmp_path: Path) -> None:
    path = MAKERS["image-list"](tmp_path)
    found = facts(path)
    assert (found.samples, found.files, found.encoded, found.tops[0].shape) == (5, 6, True, [3, 6, 8])
    assert (found.label_low, found.label_high, found.labels_seen) == (0, 40, 5)
    (path.parent / "image 3.png").unlink()
    with pytest.raises(DatasetError, match="line 4 of"):
        facts(path)


# -------------------------------------------------------------------------------------------- what is in it


@pytest.mark.parametrize("kind", ["lmdb", "leveldb"])
@pytest.mark.parametrize("numbered", [True, False])
def test_samples_of_a_database(kind: DatasetKind, numbered: bool, tmp_path: Path) -> None:
    records = files.datums() if numbered else [(b"k" + key, one) for key, one in files.datums()]
    path = (files.lmdb if kind == "lmdb" else files.leveldb)(tmp_path / "db", records)
    source = open_source(path, kind)
    for start, count in ((0, 3), (7, 2), (28, 9), (30, 1)):
        items = list(source.items(start, count))
        assert [item.index for item in items] == list(range(start, min(30, start + count)))
        for item in items:
            key, datum = records[item.index]
            assert (item.key.encode(), item.labels) == (key, [datum.label])
            assert item.values is not None and item.values.shape == (3, 4, 5)
            assert item.values.tobytes() == datum.data
    assert [label[0] for label in source.labels(whole=True)] == [datum.label for _, datum in records]
    source.close()


def test_labels_are_spread_over_a_large_database(tmp_path: Path) -> None:
    records = [(b"%08d" % number, Datum(label=number // 1000)) for number in range(5000)]
    source = open_source(files.lmdb(tmp_path / "db", records), "lmdb")
    seen = LabelCount()
    seen.take(source.labels(whole=False))
    assert (seen.seen, seen.range) == (2000, (0, 4))
    assert [round(one.count / 400) for one in seen.bins()] == [1] * 5


def test_labels_that_take_turns_are_all_seen(tmp_path: Path) -> None:
    records = [(b"%08d" % number, Datum(label=number % 10)) for number in range(5000)]
    source = open_source(files.lmdb(tmp_path / "db", records), "lmdb")
    seen = LabelCount()
    seen.take(source.labels(whole=False))
    assert [round(one.count / 200) for one in seen.bins()] == [1] * 10


def test_records_that_are_odd_say_so_and_spoil_no_others(tmp_path: Path) -> None:
    png = (files.images(tmp_path / "i").parent / "image 0.png").read_bytes()
    records = [
        (b"0", Datum(channels=1, height=2, width=2, data=b"abc")),
        (b"1", Datum(channels=1, height=1, width=2, float_data=[0.5, -1])),
        (b"2", Datum(encoded=True, data=png, label=9)),
        (b"3", Datum(encoded=True, data=b"no image")),
    ]
    source = open_source(files.lmdb(tmp_path / "db", records), "lmdb")
    short, floats, image, junk = source.items(0, 9)
    assert short.values is None and short.problem == "the record holds 3 values, its shape asks for 1 x 2 x 2"
    assert floats.values is not None and floats.values.tolist() == [[[0.5, -1]]]
    assert image.values is not None and image.values.shape == (3, 6, 8) and image.labels == [9]
    assert junk.problem is not None and "no image" in junk.problem
    assert source.facts().varying


def test_samples_of_hdf5_go_on_over_files(tmp_path: Path) -> None:
    source = open_source(MAKERS["hdf5-list"](tmp_path), "hdf5-list")
    with h5py.File(tmp_path / "a.h5") as one, h5py.File(tmp_path / "b.h5") as two:
        data = np.concatenate([one["data"][:], two["data"][:]])
        labels = [*one["label"][:], *two["label"][:]]
    items = list(source.items(10, 5))
    assert [item.index for item in items] == [10, 11, 12, 13, 14]
    for item in items:
        assert item.values is not None and np.array_equal(item.values, data[item.index])
        assert item.labels == [labels[item.index]]


def test_images_come_as_caffe_reads_them(tmp_path: Path) -> None:
    from PIL import Image

    path = MAKERS["image-list"](tmp_path)
    (item,) = open_source(path, "image-list").items(2, 1)
    pixels = np.asarray(Image.open(path.parent / "image 2.png"))
    assert (item.key, item.labels) == ("image 2.png", [20])
    assert item.values is not None and np.array_equal(item.values, pixels.transpose(2, 0, 1)[::-1])


def test_thumbnails(tmp_path: Path) -> None:
    colours = np.zeros((3, 40, 20), np.uint8)
    colours[0] = 200  # blue
    small = thumbnail(colours, 10)
    assert small.shape == (10, 5, 3) and small.reshape(-1, 3).tolist() == [[0, 0, 200]] * 50
    halves = np.concatenate([np.zeros((1, 8, 4)), np.ones((1, 8, 4))], 2).astype(np.float32)
    assert thumbnail(halves, 2)[..., 0].tolist() == [[0, 255], [0, 255]]
    assert thumbnail(np.arange(16, dtype=np.uint8), 99).shape == (4, 4, 1)
    assert thumbnail(np.full((1, 2, 2), np.nan, np.float32), 9).tolist() == [[[0], [0]], [[0], [0]]]
    for shape in ((5,), (1,), (7, 3), (2, 3, 4, 5), (200, 1, 1)):
        height, width, _ = thumbnail(np.ones(shape, np.uint8), 16).shape
        assert max(height, width) <= 16
    with pytest.raises(ValueError, match="no image"):
        decode(b"\x89PNG\r\n\x1a\n junk")


def test_histograms() -> None:
    count = LabelCount()
    count.take([[2.0], [0.0], [2.0], []])
    assert [(one.low, one.count) for one in count.bins()] == [(0, 1), (2, 2)] and count.seen == 4
    floats = LabelCount()
    floats.take([[value / 128] for value in range(128)] + [[float("nan")]])
    bins = floats.bins()
    assert (floats.kind, len(bins), sum(one.count for one in bins)) == ("floats", 65, 129)


# ----------------------------------------------------------------------------------------------- content ids


def test_the_id_is_what_the_documentation_says(tmp_path: Path) -> None:
    path = files.lmdb(tmp_path / "db")
    stream = b""
    for key, datum in files.datums():
        value = datum.SerializeToString()
        stream += len(key).to_bytes(8, "little") + len(value).to_bytes(8, "little") + key + value
    segment = blake3(stream).digest()
    assert content(path) == blake3(b"barista dataset 1 lmdb 30\n" + segment).hexdigest()


def test_long_values_stand_by_their_hashes() -> None:
    for size, stands in ((16383, lambda value: value), (16384, lambda value: blake3(value).digest())):
        value = bytes(range(256)) * 64
        value = value[:size]
        frame = (1).to_bytes(8, "little") + size.to_bytes(8, "little") + b"k"
        (found,) = segments([(b"k", value)])
        assert found.digest == blake3(frame + stands(value)).digest() and found.size == 17 + size


def test_an_id_depends_on_content_alone(tmp_path: Path) -> None:
    whole = files.lmdb(tmp_path / "db")
    parted = files.lmdb(tmp_path / "other", list(reversed(files.datums())))
    shutil.copytree(whole, tmp_path / "copy")
    assert content(whole) == content(parted) == content(tmp_path / "copy")
    changed = files.datums()
    changed[17][1].label += 1
    others = [files.lmdb(tmp_path / "changed", changed), files.lmdb(tmp_path / "few", files.datums()[:-1])]
    ids = [content(one) for one in (whole, *others, files.leveldb(tmp_path / "l"))]
    assert len(set(ids)) == 4


def test_how_hdf5_is_stored_makes_no_difference(tmp_path: Path) -> None:
    plain = files.hdf5(tmp_path / "plain.h5")
    packed = files.hdf5(tmp_path / "packed.h5", chunks=(3, 3, 2, 5), compression="gzip", shuffle=True)
    with h5py.File(plain) as read, h5py.File(tmp_path / "swapped.h5", "w") as file:
        file["label"] = read["label"][:]
        file["data"] = read["data"][:].astype(">f4")
    assert content(plain) == content(packed) == content(tmp_path / "swapped.h5")
    with h5py.File(tmp_path / "swapped.h5", "a") as file:
        file["more"] = np.zeros(3)
    assert content(plain) != content(tmp_path / "swapped.h5")


def test_lists_are_what_their_files_hold(tmp_path: Path) -> None:
    one, two = files.hdf5(tmp_path / "a.h5"), files.hdf5(tmp_path / "b.h5", seed=2)
    ids = [content(files.hdf5_list(tmp_path / f"{number}.txt", *order))
           for number, order in enumerate([(one, two), (two, one), (one,)])]  # fmt: skip
    assert len({*ids, content(one)}) == 4
    shutil.copy(one, tmp_path / "c.h5")
    assert content(files.hdf5_list(tmp_path / "4.txt", tmp_path / "c.h5", two)) == ids[0]
    path = files.images(tmp_path / "i")
    before = content(path)
    (path.parent / "image 0.png").rename(path.parent / "other.png")
    path.write_text(path.read_text().replace("image 0.png", "other.png"))
    assert content(path) == before
    path.write_text(path.read_text().replace(" 10\n", " 11\n"))
    assert content(path) != before


@pytest.mark.parametrize("kind", KINDS)
def test_hashing_goes_on_where_it_stopped(
    kind: DatasetKind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = MAKERS[kind](tmp_path)
    for module in ("content", "hdf5"):
        monkeypatch.setattr(f"barista_server.data.datasets.{module}.SEGMENT", 200)
    source = open_source(path, kind)
    whole = list(segments(source.records(None)))
    assert len(whole) > 3 and source.share(whole[-1]) == pytest.approx(1, abs=0.6)
    for stop in (1, len(whole) // 2, len(whole) - 1):
        known = whole[stop - 1]
        assert [*whole[:stop], *segments(source.records(known), known, stop)] == whole
    source.close()


def test_large_values_are_cut_into_segments(tmp_path: Path) -> None:
    big = [(b"%d" % number, Datum(data=bytes([number]) * (SEGMENT // 3))) for number in range(7)]
    source = open_source(files.lmdb(tmp_path / "db", big), "lmdb")
    for batch in (1, 2, 5, 100):
        assert [one.records for one in segments(source.records(None), None, batch)] == [3, 6, 7]


# ---------------------------------------------------------------------------------- files, damage, boundaries


def test_a_stamp_tells_that_files_changed(tmp_path: Path) -> None:
    path = files.hdf5(tmp_path / "a.h5")
    before = stamp([path])
    assert stamp([path]) == before
    os.utime(path, ns=(1, 1))
    assert stamp([path]) != before


def test_reading_leaves_no_trace_and_takes_no_lock(tmp_path: Path) -> None:
    import plyvel

    path = files.leveldb(tmp_path / "ldb")
    before = {one.name: one.stat().st_mtime_ns for one in path.iterdir()}
    with plyvel.DB(str(path)):  # as a training holds it
        assert facts(path).samples == 30
    again = files.leveldb(tmp_path / "again")
    # As left by a writer that was killed, or still writes: tables that no MANIFEST names yet.
    for number in range(3, 12):
        (again / f"{number:06}.ldb").write_bytes(b"not ours")
    before = {one.name: (one.stat().st_mtime_ns, one.read_bytes()) for one in again.iterdir()}
    assert len(content(again)) == 64
    assert {one.name: (one.stat().st_mtime_ns, one.read_bytes()) for one in again.iterdir()} == before


def test_damage_is_an_error(tmp_path: Path) -> None:
    database = files.lmdb(tmp_path / "db")
    os.truncate(database / "data.mdb", 8192)
    with pytest.raises(DatasetError, match="truncated"):
        facts(database)
    level = files.leveldb(tmp_path / "ldb")
    (level / "CURRENT").write_text("MANIFEST-000099\n")
    with pytest.raises(DatasetError, match="cannot be opened as LevelDB"):
        open_source(level, "leveldb")
    file = files.hdf5(tmp_path / "a.h5")
    os.truncate(file, 2100)
    with pytest.raises(DatasetError, match=r"a\.h5"):
        facts(file)


def test_values_that_lie_in_other_files_are_not_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"password")
    with h5py.File(tmp_path / "outside.h5", "w") as file:
        file.create_dataset("data", (8,), np.uint8, external=[(str(secret), 0, 8)])
    with pytest.raises(DatasetError, match="lie in other files"):
        facts(tmp_path / "outside.h5")
    files.hdf5(tmp_path / "a.h5")
    with h5py.File(tmp_path / "link.h5", "w") as file:
        file["data"] = h5py.ExternalLink(str(tmp_path / "a.h5"), "/data")
        file["own"] = np.zeros(3)
    assert [top.name for top in facts(tmp_path / "link.h5").tops] == ["own"]


def test_what_lies_outside_is_not_read(tmp_path: Path) -> None:
    path = files.images(tmp_path / "inside")
    outside = files.images(tmp_path / "outside").parent
    allowed = within([str(tmp_path / "inside")])
    assert open_source(path, "image-list", "", allowed).facts().samples == 5
    for name in (str(outside / "image 0.png"), "../outside/image 0.png", "link.png"):
        (path.parent / "link.png").unlink(missing_ok=True)
        (path.parent / "link.png").symlink_to(outside / "image 1.png")
        path.write_text(f"{name} 1\n")
        with pytest.raises(DatasetError, match="outside of the declared folders"):
            open_source(path, "image-list", "", allowed).facts()
    database = files.lmdb(outside / "db")
    (tmp_path / "inside" / "db").mkdir()
    (tmp_path / "inside" / "db" / "data.mdb").symlink_to(database / "data.mdb")
    with pytest.raises(DatasetError, match="outside"):
        open_source(tmp_path / "inside" / "db", "lmdb", "", allowed)


def test_a_search_finds_all_kinds_and_follows_no_links(tmp_path: Path) -> None:
    top = tmp_path / "top"
    (top / "deep" / "deeper").mkdir(parents=True)
    files.lmdb(top / "deep" / "db")
    files.leveldb(top / "ldb")
    files.hdf5(top / "deep" / "deeper" / "a.h5")
    files.images(top / "images")
    files.lmdb(tmp_path / "elsewhere")
    (top / "link").symlink_to(tmp_path / "elsewhere")
    (top / "loop").symlink_to(top)
    (top / ".hidden").mkdir()
    files.hdf5(top / ".hidden" / "b.h5")
    (top / "readme.txt").write_text("no list\n")
    found = [step.found for step in search(top) if step.found]
    assert {(str(path.relative_to(top)), kind) for path, kind, _ in found} == {
        ("deep/db", "lmdb"),
        ("ldb", "leveldb"),
        ("deep/deeper/a.h5", "hdf5"),
        ("images/list.txt", "image-list"),
    }
    assert all(size > 0 for _, _, size in found)
