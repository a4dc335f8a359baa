"""A real agent edits a session's files: fields and texts, checked, with undo, never against somebody else."""

from __future__ import annotations

import pytest

from barista_server.api.link import CallFailed
from barista_server.api.messages import (
    CheckText,
    EditText,
    FieldEdit,
    FileText,
    Form,
    FormField,
    GetForm,
    GetText,
    Message,
    PauseSession,
    ResetSession,
    SessionReply,
    StartSession,
    State,
    TextReport,
    TrashReply,
    UndoEdit,
)

from .agents import Root, Watcher, new, solver


def fields(form: Form) -> dict[str, FormField]:
    return {field.path: field for group in form.groups for field in group.fields}


async def test_a_sessions_files_are_edited(root: Root, watcher: Watcher) -> None:
    link = watcher.link
    ask = link.call
    text = solver(extra="test_iter: 1\ntest_interval: 50 # often\n", line=0.02)
    session = (await new(link, text, start=False)).id
    disk = root.session(session)
    original = (disk / "solver.prototxt").read_bytes()

    async def refused(call: Message) -> tuple[str, str]:
        with pytest.raises(CallFailed) as failed:
            await ask(call, FileText)  # type: ignore[arg-type]
        failure = failed.value.failure
        return failure.code, " ".join([failure.text, *(each.text for each in failure.problems)])

    # A form tells what is set, what is not, and what nobody looks at is not there.
    form = await ask(GetForm(session=session, file="solver"), Form)
    shown = fields(form)
    assert (form.title, form.kind, form.standing.frozen, form.standing.undo) == ("solver", "SGD", "", "")
    assert shown["base_lr"].values == ["0.01"] and shown["momentum"].values == []
    assert shown["momentum"].default == "0" and shown["test_interval"].line
    assert shown["lr_policy"].choices[0] == "fixed" and "gamma" not in shown and "rms_decay" not in shown
    layer = await ask(GetForm(session=session, file="net", name="ip"), Form)
    assert (layer.kind, layer.layer) == ("InnerProduct", 1)
    assert fields(layer)["layer[1].inner_product_param.num_output"].values == ["1"]
    assert "layer[1].param[1].lr_mult" in fields(layer)
    line = fields(layer)["layer[1].name"].line or 0
    assert (await ask(GetForm(session=session, file="net", line=line), Form)).title == "ip"

    # Several fields are one change, or none; all else stays byte for byte.
    edits = [FieldEdit(path="lr_policy", typed="step"), FieldEdit(path="test_interval", typed="60")]
    strict = EditText(session=session, file="solver", edits=edits, seen=form.revision, strict=True)
    code, why = await refused(strict)
    assert code == "invalid" and "could not be started" in why and "stepsize" in why
    edits += [FieldEdit(path="stepsize", typed="10"), FieldEdit(path="gamma", typed="0.1")]
    done = await ask(EditText(session=session, file="solver", edits=edits, seen=form.revision), FileText)
    assert not done.problems and "test_interval: 60 # often" in done.data.decode()
    assert (disk / "solver.prototxt").read_bytes() == done.data != original
    assert "gamma" in fields(await ask(GetForm(session=session, file="solver"), Form))
    bad = EditText(session=session, file="solver", edits=[FieldEdit(path="base_lr", typed="x")])
    assert (await refused(bad))[1].endswith("was not changed: base_lr is a number, not 'x'")

    # Who saw another text is told so, and nothing is lost.
    assert (await refused(strict))[0] == "changed"
    assert (disk / "solver.prototxt").read_bytes() == done.data

    # Undo and redo, also of what an editor of somebody else wrote.
    back = await ask(UndoEdit(session=session, file="solver"), FileText)
    assert back.data == original and back.what.startswith("undone: lr_policy: step; test_interval: 60")
    assert back.standing.redo and not back.standing.undo
    assert (await ask(UndoEdit(session=session, file="solver", steps=-1), FileText)).data == done.data
    (disk / "solver.prototxt").write_bytes(original + b"# by hand \xff\n")
    text_now = await ask(GetText(session=session, file="solver"), FileText)
    assert text_now.data.endswith(b"\xff\n") and text_now.standing.undo == "changes made outside"
    kept = EditText(session=session, file="solver", edits=[FieldEdit(path="base_lr", typed="0.5")])
    assert b"# by hand \xff\n" in (await ask(kept, FileText)).data
    back = await ask(UndoEdit(session=session, file="solver", steps=3), FileText)
    assert back.data == original

    # A whole text: what cannot be read is refused with its line, what is wrong is told beside it.
    broken = b'name: "n"\nlayer { name: "a" type: "ReLU\n'
    code, why = await refused(EditText(session=session, file="net", data=broken))
    assert code == "invalid" and "this is no net.prototxt" in why
    report = await ask(CheckText(session=session, file="net", data=broken), TextReport)
    assert [(each.file, each.line) for each in report.problems] == [("net.prototxt", 2)]
    net = (disk / "net.prototxt").read_bytes()
    other = net.replace(b'bottom: "ip"', b'bottom: "ipp"')
    report = await ask(CheckText(session=session, file="net", data=other), TextReport)
    assert report.problems[0].line == 7 and "ipp" in report.problems[0].text
    assert (disk / "net.prototxt").read_bytes() == net
    saved = await ask(EditText(session=session, file="net", data=other), FileText)
    assert saved.problems == report.problems
    await watcher.state(State.INVALID)
    await ask(UndoEdit(session=session, file="net"), FileText)
    await watcher.state(State.WAITING)

    # A net of 2014 is written anew, and undo has it as it was.
    old = b'# mine\nlayers { name: "r" type: DUMMY_DATA top: "r" dummy_data_param { num: 1 } }\n'
    await ask(EditText(session=session, file="net", data=old), FileText)
    renewed = await ask(EditText(session=session, file="net", renew=True), FileText)
    assert renewed.data.startswith(b"# mine\nlayer {\n") and "V1LayerParameter" in renewed.warnings[0].text
    assert (await refused(EditText(session=session, file="net", renew=True)))[0] == "invalid"
    assert (await ask(UndoEdit(session=session, file="net", steps=2), FileText)).data == net
    await watcher.state(State.WAITING)

    # Frozen: all while it runs, then what it has learned by; reset ends that.
    await ask(StartSession(session=session), SessionReply)
    await watcher.state(State.RUNNING)
    more = EditText(session=session, file="solver", edits=[FieldEdit(path="max_iter", typed="7")])
    assert (await refused(more))[1].endswith("is running: its files are frozen")
    await watcher.iteration(1)
    await ask(PauseSession(session=session), SessionReply)
    await watcher.state(State.PAUSED)
    form = await ask(GetForm(session=session, file="solver"), Form)
    assert form.standing.frozen == "started"
    assert fields(form)["max_iter"].open and not fields(form)["base_lr"].open
    rate = EditText(session=session, file="solver", edits=[FieldEdit(path="base_lr", typed="7")])
    code, why = await refused(rate)
    assert code == "refused" and why.endswith("has been trained with this solver, which is frozen: base_lr")
    assert (await ask(more, FileText)).what == "max_iter: 7"
    assert (await refused(EditText(session=session, file="net", data=other)))[0] == "refused"
    comment = await ask(EditText(session=session, file="net", data=net + b"# said\n"), FileText)
    assert comment.what == "text of line 8"
    await ask(ResetSession(session=session), TrashReply)
    assert (await ask(rate, FileText)).what == "base_lr: 7"
    assert [record["file"] for record in root.journal(session) if record["kind"] == "edited"][-2:] == [
        "net.prototxt",
        "solver.prototxt",
    ]
