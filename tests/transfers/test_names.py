"""Names and sizes that are taken from elsewhere, and those that are not; files as they leave and arrive."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from blake3 import blake3

from barista_server.api.transfers import Parcel, ParcelFile
from barista_server.copying import names
from barista_server.copying.incoming import Incoming
from barista_server.copying.names import ParcelError
from barista_server.copying.outgoing import Leaf, Outgoing, folder_parcel, scan


def parcel(*files: ParcelFile, folders: list[str] | None = None, main: str = "") -> Parcel:
    return Parcel(kind="session", name="x", origin="o", files=list(files), folders=folders or [], main=main)


def file(path: str, size: int = 1, **more: object) -> ParcelFile:
    return ParcelFile(path=path, size=size, mtime=1, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "path",
    ["", "/etc/passwd", "..", "../up", "a/../../b", "a//b", "./a", "a/.", "a/", "a\\b", "a\x1b[0m", "a\nb",
     "nul\0", "x.part", "x.part/y", "n" * 241, "/".join(["n" * 100] * 11), "\udc80", "a\u202eb"],
)  # fmt: skip
def test_a_name_that_leads_elsewhere_or_cannot_be_seen_is_never_made(tmp_path: Path, path: str) -> None:
    for hostile in (parcel(file(path)), parcel(file("fine"), folders=[path])):
        with pytest.raises(ParcelError):
            Incoming(tmp_path / "in", hostile)
    assert not (tmp_path / "in").exists()


@pytest.mark.parametrize(
    ("hostile", "words"),
    [
        (parcel(file("a"), file("a")), "not at all"),
        (parcel(file("Net.prototxt"), file("net.prototxt")), "capitals"),
        (parcel(file("a"), file("A/b")), "would lie in a file"),
        (parcel(file("a"), folders=["a"]), "not at all"),
        (parcel(file("a"), folders=["a/b"]), "would lie in a file"),
        (parcel(file("a", -1)), "sensible"),
        (parcel(file("a", 1 << 60)), "sensible"),
        (parcel(file("a", 10, extents=[(5, 11)])), "holes"),
        (parcel(file("a", 10, extents=[(5, 8), (7, 9)])), "holes"),
        (parcel(file("a", 10, extents=[(-5, 8)])), "holes"),
        (parcel(file("a"), main="b"), "not among"),
        (parcel(*(file(str(one)) for one in range(50_001))), "more than"),
    ],
)
def test_what_makes_no_sense_is_refused(hostile: Parcel, words: str) -> None:
    with pytest.raises(ParcelError, match=words):
        names.check(hostile)


def test_what_is_no_regular_file_stays_behind(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "kept").write_text("kept")
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / "away").symlink_to("/etc")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / os.fsdecode(b"odd\xff")).write_text("")
    leaves, folders, left_out = scan(tmp_path)
    assert [leaf.path for leaf in leaves] == ["inner/kept"] and folders == ["inner"]
    assert sorted(left_out) == [
        "'odd\\udcff': its name is no UTF-8",
        "away: it is a link",
        "link: it is a link",
        "pipe: it is no regular file",
    ]
    (tmp_path / "inner" / "Kept").write_text("")
    with pytest.raises(ParcelError, match="capitals"):
        scan(tmp_path)
    # It became a link, or a pipe, after it was looked at.
    out = Outgoing([Leaf("a", tmp_path / "inner" / "kept")])
    (tmp_path / "inner" / "kept").unlink()
    (tmp_path / "inner" / "kept").symlink_to("/etc/passwd")
    with pytest.raises(OSError, match="symbolic links"):
        out.read(0, 0, 4)
    with pytest.raises(ParcelError, match="no regular file"):
        Outgoing([Leaf("a", tmp_path / "pipe")])


def carry(out: Outgoing, incoming: Incoming, piece: int = 100) -> None:
    """All that is left, in order, then the check."""
    for number, one in enumerate(incoming.parcel.files):
        for begin, end in names.left(one, incoming.at[number]):
            for at in range(begin, end, piece):
                incoming.write(number, at, out.read(number, at, min(piece, end - at)))
        if incoming.at[number] >= 0:
            incoming.check(number, out.hash(number)[0])


def source(folder: Path) -> tuple[Outgoing, Parcel]:
    (folder / "runs").mkdir(parents=True)
    (folder / "a").write_bytes(bytes(range(250)) * 4)
    (folder / "runs" / "empty").write_bytes(b"")
    return folder_parcel(folder, "x", "o")


def test_pieces_arrive_in_order_or_not_at_all(tmp_path: Path) -> None:
    out, made = source(tmp_path / "from")
    incoming = Incoming(tmp_path / "in", made)
    incoming.write(0, 0, out.read(0, 0, 100))
    for offset, data in ((0, b"again"), (200, b"gap"), (100, b""), (100, bytes(901))):
        with pytest.raises(ParcelError, match="goes on at 100"):
            incoming.write(0, offset, data)
    with pytest.raises(ParcelError, match="not there in full"):
        incoming.check(0, out.hash(0)[0])
    with pytest.raises(ParcelError, match="not there yet"):
        incoming.need_all()
    with pytest.raises(ParcelError, match="no file 7"):
        incoming.write(7, 0, b"x")
    incoming.close()
    again = Incoming(tmp_path / "in", made)
    assert again.at == [100, 0]
    carry(out, again)
    again.need_all()
    assert (tmp_path / "in/files/a").read_bytes() == (tmp_path / "from/a").read_bytes()
    assert (tmp_path / "in/files/a").stat().st_mtime_ns == (tmp_path / "from/a").stat().st_mtime_ns
    assert Incoming(tmp_path / "in", made).at == [-1, -1]
    assert not list((tmp_path / "in").rglob("*.part"))


def test_a_damaged_piece_is_found_and_only_its_file_copied_anew(tmp_path: Path) -> None:
    out, made = source(tmp_path / "from")
    incoming = Incoming(tmp_path / "in", made)
    incoming.write(0, 0, bytes(1000))
    incoming.check(1, out.hash(1)[0])
    with pytest.raises(ParcelError, match="did not arrive as it was sent") as caught:
        incoming.check(0, out.hash(0)[0])
    assert caught.value.code == "damaged" and incoming.at == [0, -1]
    carry(out, incoming)
    incoming.need_all()


def test_what_changed_since_the_try_before_is_copied_anew(tmp_path: Path) -> None:
    out, made = source(tmp_path / "from")
    (tmp_path / "from/b").write_bytes(bytes(300))
    out, made = folder_parcel(tmp_path / "from", "x", "o")
    first = Incoming(tmp_path / "in", made)
    carry(out, first)
    (tmp_path / "from/a").write_bytes(b"other")
    (tmp_path / "from/b").unlink()
    out, made = folder_parcel(tmp_path / "from", "x", "o")
    again = Incoming(tmp_path / "in", made)
    assert [(one.path, at) for one, at in zip(made.files, again.at, strict=True)] == [
        ("a", 0),
        ("runs/empty", -1),
    ]
    assert not (tmp_path / "in/files/b").exists()


def test_a_source_that_changes_while_it_is_copied_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(1000))
    (tmp_path / "log").write_bytes(b"one\n")
    out = Outgoing([Leaf("a", tmp_path / "a"), Leaf("log", tmp_path / "log", grows=True)])
    with (tmp_path / "log").open("ab") as log:
        log.write(b"two\n")
    assert out.read(1, 0, 4) == b"one\n" and out.hash(1) == (blake3(b"one\n").hexdigest(), True)
    os.utime(tmp_path / "a", ns=(1, 1))
    with pytest.raises(ParcelError, match="written to while"):
        out.read(0, 0, 10)
    (tmp_path / "a").unlink()
    with pytest.raises(ParcelError, match="taken away while") as caught:
        out.hash(0)
    assert caught.value.code == "changed"
    (tmp_path / "log").write_bytes(b"")
    with pytest.raises(ParcelError, match="written to while"):
        out.hash(1)


def test_a_database_written_through_its_map_is_noticed_though_its_time_is_not(tmp_path: Path) -> None:
    place = tmp_path / "data.mdb"
    place.write_bytes(bytes(20_000))
    out = Outgoing([Leaf("data.mdb", place)])
    about = place.stat()
    with place.open("r+b") as opened:
        opened.seek(4096 + 100)
        opened.write(b"\1")
    os.utime(place, ns=(about.st_atime_ns, about.st_mtime_ns))
    with pytest.raises(ParcelError, match="written to while"):
        out.hash(0)


def test_holes_are_neither_copied_nor_filled(tmp_path: Path) -> None:
    place = tmp_path / "from" / "data.mdb"
    place.parent.mkdir()
    with place.open("wb") as opened:
        opened.write(b"head" * 1024)
        opened.seek(40 << 20)
        opened.write(b"tail" * 1024)
        opened.truncate(64 << 20)
    out, made = folder_parcel(place.parent, "x", "o")
    if not made.files[0].extents:
        pytest.skip("this file system tells no holes")
    assert names.weight(made.files[0]) < 1 << 20
    incoming = Incoming(tmp_path / "in", made)
    carry(out, incoming, 4096)
    copy = tmp_path / "in/files/data.mdb"
    assert copy.read_bytes() == place.read_bytes() and copy.stat().st_blocks * 512 < 1 << 20
