"""However a log of others comes into being, and whatever it holds, it reads the same in the end."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from barista_server.agent.logfile import MARK, Content, LogFile, Stamp

from ..log.log_results import FIXTURES, glog

LINES = [
    glog("Use CPU."),
    glog("Initializing solver from parameters: ") + "max_iter: 50\ndisplay: 10\n",
    glog("Starting Optimization"),
    glog("Resuming from x_iter_20.solverstate"),
    glog("Iteration 10, loss = 1.5"),
    glog("Iteration 20, loss = nan", 9),
    glog("Iteration 20, Testing net (#0)", 10),
    glog("    Test net output #0: accuracy = 0.5", 12),
    glog("Snapshotting solver state to binary proto file x_iter_33.solverstate", 13),
    glog("Optimization stopped early.", 14),
    glog("Optimization Done.", 15),
    glog("Check failed: error == cudaSuccess (2 vs. 0)  out of memory", 16, "F"),
    "*** SIGTERM (@0x1) received by PID 1 (TID 0x1) from PID 2; stack trace: ***\n",
    "Log file created at: 2014/10/25 15:37:55\n",
    "\r\n",
    "\n",
]
pieces = st.one_of(st.sampled_from(LINES).map(str.encode), st.binary(max_size=60))
NOWHERE = Stamp(0, 0, 0)


def read(file: LogFile) -> None:
    while file.grow():
        pass


def said(file: LogFile) -> Content:
    return replace(file.content(), stamp=NOWHERE)


@settings(max_examples=60, deadline=None)
@given(st.lists(pieces, max_size=30), st.data())
def test_grown_or_whole_it_says_the_same(texts: list[bytes], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.log"
        whole = b"".join(texts)
        cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=4)))
        grown = LogFile(path)
        for begin, end in zip([0, *cuts], [*cuts, len(whole)], strict=True):
            with path.open("ab") as out:
                out.write(whole[begin:end])
            read(grown)
            # An earlier end may be taken for one, and may turn out to be none.
            if data.draw(st.booleans()):
                grown.close()
            grown.content()
        read(grown)
        grown.close()
        once = LogFile(path)
        read(once)
        once.close()
        assert repr(said(grown)) == repr(said(once))
        assert grown.generation == 0
        assert sum(run.facts.size for run in said(once).runs) in (0, len(whole))


def test_another_file_of_any_length_is_another(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    text = (FIXTURES / "bvlc1.0-sigint.log").read_bytes()
    for other in (text[: len(text) // 2], b"x" + text, text[:-1] + b"X", text[MARK + 9 :] + text):
        path.write_bytes(text)
        file = LogFile(path)
        read(file)
        path.write_bytes(other + b"more\n")
        read(file)
        assert (file.generation, file.read) == (1, len(other) + 5)
    path.write_bytes(text)
    file = LogFile(path)
    read(file)
    path.unlink()
    path.write_bytes(text + b"more\n")
    read(file)
    assert (file.generation, file.read) == (0, len(text) + 5)


def test_a_log_of_more_than_a_year_begins_in_the_right_one(tmp_path: Path) -> None:
    path = tmp_path / "train.log"
    days = ["0310", "0601", "1101", "0201", "0601", "1101", "0115"]
    path.write_text("".join(glog(f"Iteration {10 * n}, loss = 1", day=day) for n, day in enumerate(days)))
    file = LogFile(path)
    read(file)
    epoch = file.parser.epoch
    assert epoch is not None
    late = path.stat().st_mtime - (epoch + file.parser.seconds)
    assert -2 * 86_400 <= late < 366 * 86_400
    assert file.parser.seconds > 600 * 86_400
