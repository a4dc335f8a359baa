"""Sessions beside each other: the calls and the verbs, on real agents of two roots."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from barista_server.api.link import CallFailed
from barista_server.api.messages import (
    CloneSession,
    ImportLog,
    NewSession,
    SessionReply,
    StartSession,
    State,
    SummarizeSession,
    Summary,
)
from barista_tui.cli import main
from barista_tui.together import settings_diff
from barista_tui.verbs.comparing import _broken
from tests.agent.agents import NET, Root, Watcher, new, solver

Barista = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest_asyncio.fixture
async def roots() -> AsyncIterator[tuple[Root, Root]]:
    made = (Root(), Root())
    try:
        yield made
    finally:
        for root in made:
            await root.close()


@pytest.fixture
def barista(roots: tuple[Root, Root], capsys: pytest.CaptureFixture[str]) -> Barista:
    async def run(*words: str) -> tuple[int, str, str]:
        code = await asyncio.to_thread(main, ["--root", str(roots[0].path), *words])
        return code, *capsys.readouterr()

    return run


async def test_two_sessions_and_their_clone(roots: tuple[Root, Root], barista: Barista) -> None:
    there = Watcher(await roots[0].link())
    await there.subscribe()
    text = solver(40, extra="test_iter: 1\ntest_interval: 10\nmomentum: 0.5\n", speed=0)
    await new(there.link, text, name="base")
    await there.state(State.FINISHED)
    call = CloneSession(session="base", weights=False, name="other")
    await there.link.call(call, SessionReply)
    files = [roots[0].session("2") / name for name in ("solver.prototxt", "net.prototxt")]

    code, out, _ = await barista("diff", "other")
    assert (code, out.splitlines()[-1]) == (0, "Caffe would do the same with both.")
    edited = files[0].read_text().replace("momentum: 0.5", "momentum: 0.50 # same\nbase_lr: 0.1")
    files[0].write_text(edited.replace("base_lr: 0.01\n", ""))
    files[1].write_text(files[1].read_text().replace('name: "ip"', 'name: "fc"'))
    code, out, _ = await barista("diff", "other", "--color", "never")
    assert code == 1 and out.splitlines() == [
        "--- 1 base",
        "+++ 2 other",
        "solver",
        "      base_lr  0.01  0.1",
        "net.prototxt",
        "  = ip  InnerProduct, renamed to fc",
        "1 field of the solver, 1 layer",
    ]
    code, out, _ = await barista("diff", "local:2", "1", "--json")
    told = json.loads(out)
    assert told["diff"]["solver"][0] | {"old": "0.1", "new": "0.01"} == told["diff"]["solver"][0]
    assert (told["old"], told["new"], code) == ("2 other", "1 base", 1)
    assert "\x1b[31m" in (await barista("diff", "1", "2", "--color", "always"))[1]
    code, _, err = await barista("diff", "base")
    assert code == 3 and "was made from no other session" in err

    code, out, _ = await barista("compare", "base", "other", "--csv")
    rows = [dict(row) for row in csv.DictReader(io.StringIO(out))]
    assert [(row["id"], row["base_lr"], row["iterations"]) for row in rows] == [
        ("1", "0.01", "40"),
        ("2", "0.1", "0"),
    ]
    assert "momentum" not in rows[0] and "caffe" not in rows[0]
    # accuracy = n / (n + 20), loss = 2.5 / (1 + n / 50), as the scripted caffe has it; 0.0025 in the end.
    assert float(rows[0]["best test accuracy"]) == pytest.approx(40 / 60, rel=1e-4)
    assert (rows[0]["test accuracy at"], rows[0]["best train loss"]) == ("40", "0.0025")
    everything = json.loads(
        (await barista("compare", "--all", "--json", "--sort", "base_lr", "--reverse"))[1]
    )
    assert [one["id"] for one in everything] == ["2", "1"] and everything[0]["settings"]["batch"] == 1
    assert everything[0]["settings"]["parameters"] == 5
    code, _, err = await barista("compare", "--sort", "nonsense")
    assert code == 3 and "There are: caffe, " in err
    assert "best test accuracy  0.6667" in (await barista("compare", "1", "2"))[1]

    code, out, _ = await barista("tree", "other")
    assert [line.split("  ")[0] for line in out.splitlines()] == ["1 base", "└─ 2 other"]
    assert out.splitlines()[1].endswith("settings only")

    # A log is compared by its results; files that are broken are told, and cost the others nothing.
    log = roots[0].path / "copy.log"
    log.write_bytes((roots[0].run() / "caffe.log").read_bytes())
    await there.link.call(ImportLog(path=str(log), name="log"), SessionReply)
    out = (await barista("compare", "1", "log"))[1]
    assert "momentum" not in out and out.count("0.6667") == 4
    files[1].write_text("layer {")
    summary = await there.link.call(SummarizeSession(session="2"), Summary)
    assert "net.prototxt:1" in summary.problem and summary.solver["base_lr"] == "0.1"
    code, _, err = await barista("diff", "1", "2")
    assert code == 4 and "other: net.prototxt:1" in err

    # Of two hosts: the texts of one go to the other.
    far = await roots[1].link()
    await far.call(NewSession(name="far", solver=text, net=NET, caffe="scripted"), SessionReply)
    one, two = there.sessions["1"], (await far.call(StartSession(session="far"), SessionReply)).session
    assert (await settings_diff(there.link, one, far, two)).same
    with pytest.raises(CallFailed):
        await settings_diff(there.link, there.sessions["3"], far, two)


def test_long_texts_are_broken_and_paths_keep_their_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    data = "/data/of/somebody/else/digits"
    rows = [["inputs", f"{data}/train, {data}/test", f"{data}/train"], ["base_lr", "0.01", "0.1"]]
    assert _broken(rows) == [
        ["inputs", *["…" + f"{data}/train"[-33:]] * 2],
        ["", f"{data}/test", ""],
        ["base_lr", "0.01", "0.1"],
    ]
    assert _broken([]) == []
