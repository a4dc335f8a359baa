"""Lists of HDF5 files, read and written through an agent by clients of its machine and of others."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barista_server.api.frames import encode
from barista_server.api.link import CallFailed, Link
from barista_server.api.local import connect
from barista_server.api.messages import (
    Call,
    DatasetRoots,
    DeclareRoot,
    FileList,
    FindHdf5Files,
    Hdf5Files,
    Introduction,
    ReadFileList,
    WriteFileList,
)
from barista_server.api.things import Message
from barista_server.data import file_lists

from ..data import dataset_files as files
from .agents import Root

R = TypeVar("R", bound=Message)


@pytest.fixture
async def root() -> AsyncIterator[Root]:
    made = Root()
    yield made
    await made.close()


async def introduced(root: Root, role: str) -> Link:
    """A client of another machine."""
    reader, writer = await connect(root.path)
    writer.write(encode(Introduction(role=role, via="ssh from 192.0.2.7")))  # type: ignore[arg-type]
    root.links.append(link := await Link.over(reader, writer))
    return link


async def refused(link: Link, call: Call, code: str, words: str) -> None:
    with pytest.raises(CallFailed, match=words) as caught:
        await link.call(call, FileList)
    assert caught.value.failure.code == code


async def test_read_filled_and_written(root: Root, tmp_path: Path) -> None:
    link = await root.link()
    (tmp_path / "in/deep").mkdir(parents=True)
    one, two = files.hdf5(tmp_path / "in/1.h5"), files.hdf5(tmp_path / "in/deep/2.hdf5")
    (tmp_path / "in/other.txt").write_text("")
    found = await link.call(FindHdf5Files(path=str(tmp_path / "in")), Hdf5Files)
    assert (found.paths, found.note) == ([str(one), str(two)], "")
    path = tmp_path / "list.txt"
    made = await link.call(WriteFileList(path=str(path), lines=["", *found.paths, "  "]), FileList)
    assert path.read_text() == f"{one}\n{two}\n" and made.lines == found.paths
    path.chmod(0o600)
    # Who did not open it does not write it over; who opened it does, unless another one was quicker.
    await refused(link, WriteFileList(path=str(path), lines=["x"]), "refused", "is there already")
    (tmp_path / "link.txt").symlink_to(path)
    read = await link.call(ReadFileList(path=str(tmp_path / "link.txt")), FileList)
    assert (read.path, read.lines) == (str(path), found.paths)
    await link.call(WriteFileList(path=read.path, lines=read.lines[1:], stamp=read.stamp), FileList)
    assert path.read_text() == f"{two}\n" and path.stat().st_mode & 0o777 == 0o600
    await refused(link, WriteFileList(path=str(path), lines=["x"], stamp=read.stamp), "changed", "meanwhile")
    for lines, words in (([], "without files"), (["a\x1b[2J"], "control characters"), (["a\nb"], "control")):
        await refused(link, WriteFileList(path=str(tmp_path / "new"), lines=lines), "invalid", words)
    for bad, words in (
        (str(one), "no list of files"),
        (str(tmp_path), "is no file"),
        ("list.txt", "whole path"),
    ):
        await refused(link, ReadFileList(path=bad), "invalid", words)
    await refused(link, FindHdf5Files(path=str(tmp_path / "gone")), "not-found", "No such file")
    assert path.read_text() == f"{two}\n" and not (tmp_path / "new").exists()


async def test_others_stay_within_the_declared_folders(root: Root, tmp_path: Path) -> None:
    here = await root.link()
    open_ = tmp_path / "open"
    open_.mkdir()
    one = files.hdf5(open_ / "1.h5")
    (tmp_path / "secret.txt").write_text("secret\n")
    (open_ / "way-out.txt").symlink_to(tmp_path / "secret.txt")
    (open_ / "out").symlink_to(tmp_path)
    await here.call(DeclareRoot(path=str(open_)), DatasetRoots)
    far = await introduced(root, "owner")
    made = await far.call(WriteFileList(path=str(open_ / "list.txt"), lines=[str(one)]), FileList)
    assert (await far.call(ReadFileList(path=made.path), FileList)) == made
    for path in ("../secret.txt", "way-out.txt", "out/secret.txt", "out/new.txt"):
        for call in (
            ReadFileList(path=f"{open_}/{path}"),
            FindHdf5Files(path=f"{open_}/{path}"),
            WriteFileList(path=f"{open_}/{path}", lines=["x"], stamp="1:2:3"),
        ):
            await refused(far, call, "forbidden", "outside of the declared folders")
    viewer = await introduced(root, "viewer")
    await refused(viewer, ReadFileList(path=made.path), "forbidden", "may look, but not act")
    assert (tmp_path / "secret.txt").read_text() == "secret\n" and not (tmp_path / "new.txt").exists()


@given(st.binary(max_size=200))
def test_any_bytes_are_a_list_or_are_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("list") / "list.txt"
    path.write_bytes(data)
    try:
        lines, _ = file_lists.read(path, 150)
    except ValueError:
        return
    # What was read is read again as it was, once it was written.
    file_lists.write(path, lines)
    assert file_lists.read(path, 1000)[0] == lines and all(line.strip() == line for line in lines)
