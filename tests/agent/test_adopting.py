"""What a session that arrives is said to come from."""

from __future__ import annotations

import socket
from pathlib import Path

import msgspec

from barista_server.agent import files
from barista_server.agent.adopting import meta_of
from barista_server.agent.store import Meta
from barista_server.api.messages import Ancestor

OLD = Ancestor(id="3", name="first", created=1.0, how="weights", iteration=10)
META = Meta(id="7", name="net", created=2.0, parent="3", lineage=[OLD])


def arrived(folder: Path, meta: Meta, origin: str) -> Meta:
    files.write_json(folder / "session.json", meta)
    return meta_of(folder, "", {"net"}, origin, Path("/root/sessions"))[0]


def test_from_another_root_it_comes_with_the_places_of_all_it_was_made_from(tmp_path: Path) -> None:
    made = arrived(tmp_path, META, "far:/data/sessions/7")
    assert made.parent is None and made.name == "net-2"
    assert made.lineage == [
        Ancestor(id="7", name="net", created=2.0, how="copy", place="far:/data/sessions/7"),
        msgspec.structs.replace(OLD, place="far:/data/sessions/3"),
    ]
    # Moved on, what has a place keeps it.
    again = arrived(tmp_path, msgspec.structs.replace(made, id="9"), "third:/x/sessions/9")
    assert [one.place for one in again.lineage] == [
        "third:/x/sessions/9", "far:/data/sessions/7", "far:/data/sessions/3"
    ]  # fmt: skip


def test_a_copy_of_a_session_of_this_root_has_it_as_its_parent(tmp_path: Path) -> None:
    made = arrived(tmp_path, META, f"{socket.gethostname()}:/root/sessions/7")
    assert made.parent == "7" and [one.place for one in made.lineage] == ["", ""]


def test_a_folder_that_was_no_session_comes_from_nothing(tmp_path: Path) -> None:
    assert meta_of(tmp_path, "by-hand", set(), "far:/home/me/train", tmp_path)[0].lineage == []
