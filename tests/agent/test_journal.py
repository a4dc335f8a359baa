"""The journal keeps every whole record, whatever happened to the file."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from barista_server.agent import journal

values = st.none() | st.booleans() | st.integers() | st.text(max_size=20)


facts = st.dictionaries(st.text(min_size=1, max_size=8).map("x{}".format), values, max_size=3)


@given(st.lists(facts, max_size=6), st.floats(0, 1))
def test_a_cut_anywhere_costs_the_cut_record_only(written: list[dict[str, object]], share: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "journal.jsonl")
        records = [journal.append(path, "done", **one) for one in written]
        assert journal.read(path) == records
        text = path.read_bytes() if records else b""
        cut = round(share * len(text))
        path.write_bytes(text[:cut])
        whole = text[:cut].count(b"\n")
        kept = journal.read(path)
        assert kept[:whole] == records[:whole] and len(kept) <= whole + 1
        after = journal.append(path, "after", value=1)
        assert journal.read(path) == [*kept, after]


@given(st.binary(max_size=200))
def test_foreign_bytes_are_passed_over(noise: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "journal.jsonl")
        path.write_bytes(noise)
        record = journal.append(path, "kept", number=3)
        assert journal.read(path)[-1] == record
        assert json.loads(path.read_bytes().splitlines()[-1]) == record


def test_no_journal_is_an_empty_one(tmp_path: Path) -> None:
    assert journal.read(tmp_path / "none") == []
    assert journal.last([], "created") is None
