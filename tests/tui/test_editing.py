"""A journey through forms and texts of a session, on a real agent: what is typed is in its files."""

from __future__ import annotations

from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import Input, Select

from barista_server.api.link import Link
from barista_server.api.messages import AddDataset, DatasetReply, NewSession, SessionReply, State
from barista_tui.app import BaristaApp
from barista_tui.screens.choose import ChooseScreen
from barista_tui.screens.clone import CloneScreen
from barista_tui.screens.confirm import ConfirmScreen
from barista_tui.screens.form import FormScreen
from barista_tui.screens.inputs import InputManager
from barista_tui.screens.layer_form import LayerForm
from barista_tui.screens.prompt import PromptScreen
from barista_tui.screens.prototxt import ProtoEditor
from barista_tui.widgets.formview import FormView

from .support import opened, shown, state_of, until

NET = """name: "it" # our net
layer {
  name: "data" type: "Data" top: "data" top: "label"
  data_param { source: "/nowhere" batch_size: 4 backend: LMDB }  # the data
}
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 10 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""
SOLVER = """# script: {"speed": 400}
net: "net.prototxt"
base_lr: 0.01  # the rate
lr_policy: "fixed"
display: 10
max_iter: 100000
snapshot_prefix: "it"
"""


async def _made(root: Path) -> tuple[Path, str]:
    """A session whose data is not there, and the digits on the list of datasets; folder and path of them."""
    link = await Link.open(root)
    template = NewSession(name="lenet", template="lenet-digits", caffe="scripted")
    lenet = (await link.call(template, SessionReply)).session
    digits = (Path(lenet.folder) / "net.prototxt").read_text().split('source: "')[1].split('"')[0]
    await link.call(AddDataset(path=digits, name="digits"), DatasetReply)
    call = NewSession(name="it", solver=SOLVER, net=NET, caffe="scripted")
    session = (await link.call(call, SessionReply)).session
    await link.close()
    return Path(session.folder), digits


async def test_a_session_is_edited_until_it_trains_and_is_frozen_then(root: Path) -> None:
    folder, digits = await _made(root)
    solver, net = folder / "solver.prototxt", folder / "net.prototxt"
    assert text(net) == NET and text(solver) == SOLVER
    async with opened(root, (80, 24)) as (app, pilot):
        await until(pilot, lambda: app.main.session is not None and app.main.session.name == "it")
        await _solver_form(app, pilot, solver)
        await _layer_form(app, pilot, net, digits)
        await _from_input_manager(app, pilot, net, digits)
        await _text(app, pilot, net)
        await _frozen(app, pilot, solver)


def text(path: Path) -> str:
    return path.read_bytes().decode()


def write(path: Path, text: str) -> None:
    path.write_bytes(text.encode())


def _form(app: BaristaApp) -> FormView:
    return app.screen.query(FormView).last()


async def _go(app: BaristaApp, pilot: Pilot[None], name: str) -> None:
    """The cursor to a field."""
    rows = _form(app).list.rows
    _form(app).list.go(next(at for at, row in enumerate(rows) if row.field and row.field.name == name))
    await pilot.pause()


async def _solver_form(app: BaristaApp, pilot: Pilot[None], solver: Path) -> None:
    await pilot.press("4")
    await until(pilot, lambda: "learning rate: 0.01" in shown(app))
    await pilot.press("slash", *"base_lr", "escape")
    await until(pilot, lambda: "Learning rate that the policy starts from" in shown(app))
    typed = app.screen.query_one("#form-input", Input)
    await pilot.press("enter", "ctrl+u", *"fast", "enter")
    await until(pilot, lambda: "base_lr is a number, not 'fast'" in shown(app))
    assert typed.has_focus and typed.value == "fast", "what was refused can be mended"
    await pilot.press("ctrl+u", *"0.5", "enter")
    await until(pilot, lambda: "✔ base_lr: 0.5" in shown(app) and "learning rate: 0.5" in shown(app))
    assert text(solver) == SOLVER.replace("0.01", "0.5")

    # Chosen from a list; what a policy needs is asked for beside it, and no other field is there.
    await _go(app, pilot, "lr_policy")
    assert "stepsize" not in shown(app)
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(app.screen, ChooseScreen))
    await pilot.press("down", "enter")
    await until(pilot, lambda: "lr_policy 'step' needs stepsize" in shown(app) and "no curve" in shown(app))
    await until(pilot, lambda: state_of(app, "it") is State.INVALID)
    await pilot.press("z")
    await until(pilot, lambda: "✔ undone: lr_policy: step" in shown(app))
    await pilot.press("v")
    await until(pilot, lambda: "base_lr: 0.5  # the rate" in shown(app))
    await pilot.press("v")
    await _go(app, pilot, "test_initialization")
    await pilot.press("enter")
    await until(pilot, lambda: "✔ test_initialization: false" in shown(app))
    await pilot.press("backspace")
    await until(pilot, lambda: "✔ test_initialization left out" in shown(app))
    assert text(solver) == SOLVER.replace("0.01", "0.5")


async def _layer_form(app: BaristaApp, pilot: Pilot[None], net: Path, digits: str) -> None:
    await pilot.press("3")
    await until(pilot, lambda: "InnerProduct" in shown(app))
    await pilot.press("home", "enter")
    await until(
        pilot, lambda: isinstance(app.screen, LayerForm) and "data · Data · reads /nowhere" in shown(app)
    )
    await pilot.press("a")
    await until(pilot, lambda: isinstance(app.screen, ChooseScreen) and "digits" in shown(app))
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(app.screen, LayerForm) and "/nowhere" not in shown(app))
    assert text(net) == NET.replace("/nowhere", digits)
    await pilot.press("right_square_bracket")
    await until(pilot, lambda: "ip · InnerProduct" in shown(app))
    await _go(app, pilot, "num_output")
    await pilot.press("enter", "ctrl+u", *"12", "enter")
    await until(pilot, lambda: "✔ inner_product_param.num_output: 12" in shown(app))
    assert "num_output: 12" in text(net)
    # Layers come and go, in the form and in the drawing; undo has them all.
    before = text(net)
    await pilot.press("c")
    await until(pilot, lambda: "✔ added ip_2, like ip" in shown(app) and "ip_2 · InnerProduct" in shown(app))
    assert 'bottom: "ip_2"' in text(net)
    await pilot.press("D")
    await until(pilot, lambda: "✔ layer ip_2 taken out" in shown(app))
    assert text(net) == before
    await pilot.press("escape")
    await until(pilot, lambda: app.screen is app.main and "InnerProduct" in shown(app))
    await pilot.press("end", "up", "a")
    await until(pilot, lambda: isinstance(app.screen, FormScreen) and "A layer behind ip" in shown(app))
    app.screen.query_one("#field-type", Select).value = "Dropout"
    await pilot.press("ctrl+s")
    await until(pilot, lambda: isinstance(app.screen, LayerForm) and "drop1 · Dropout" in shown(app))
    await pilot.press("escape")
    await until(pilot, lambda: app.screen is app.main and "drop1" in shown(app))
    await pilot.press("delete")
    await until(pilot, lambda: "layer drop1 taken out" in shown(app) and text(net) == before)
    await pilot.press(*"zzzz")
    await until(pilot, lambda: "undone: added ip_2, like ip" in shown(app) and text(net) == before)
    await until(pilot, lambda: state_of(app, "it") is State.WAITING)


async def _from_input_manager(app: BaristaApp, pilot: Pilot[None], net: Path, digits: str) -> None:
    """The same, from where the datasets are."""
    await pilot.press("z", "z")
    await until(pilot, lambda: "/nowhere" in text(net))
    await pilot.press("f2")
    await until(pilot, lambda: isinstance(app.screen, InputManager) and app.screen.chosen is not None)
    await pilot.press("s")
    await until(
        pilot, lambda: isinstance(app.screen, ChooseScreen) and "layer of it shall read" in shown(app)
    )
    await pilot.press("enter")
    await until(pilot, lambda: digits in text(net))
    await pilot.press("escape")
    await until(pilot, lambda: app.screen is app.main)
    await until(pilot, lambda: state_of(app, "it") is State.WAITING)


async def _text(app: BaristaApp, pilot: Pilot[None], net: Path) -> None:
    before = text(net)
    await pilot.press("e")
    await until(pilot, lambda: isinstance(app.screen, ProtoEditor) and "✔ nothing is wrong" in shown(app))
    editor = app.screen
    assert isinstance(editor, ProtoEditor)
    assert '1  name: "it" # our net' in shown(app)
    editor.area.move_cursor((6, 8))
    await pilot.press(*"nmae { ")
    await until(pilot, lambda: editor.checked and editor.problems and "✖ net.prototxt:" in shown(app))
    assert "modified" in shown(app) and text(net) == before
    # What was not saved is there again, and undo takes it back; save writes, but not over somebody else.
    await pilot.press("escape")
    await until(pilot, lambda: app.screen is app.main)
    await pilot.press("e")
    await until(pilot, lambda: isinstance(app.screen, ProtoEditor) and "nmae {" in app.screen.area.text)
    editor = app.screen
    assert isinstance(editor, ProtoEditor)
    await pilot.press("ctrl+s")
    await until(pilot, lambda: "this is no net.prototxt" in shown(app))
    assert text(net) == before
    editor.area.load_text(before.replace("# our net", "# my net"))
    write(net, before + "# theirs\n")
    await pilot.press("ctrl+s")
    await until(pilot, lambda: isinstance(app.screen, ConfirmScreen) and "Changed meanwhile" in shown(app))
    await pilot.press("tab", "tab", "enter")
    await until(pilot, lambda: "# my net" in text(net) and not editor.modified)
    await pilot.press("ctrl+e")
    await until(pilot, lambda: isinstance(app.screen, PromptScreen))
    copy = net.with_name("copy.prototxt")
    app.screen.query_one(Input).value = str(copy)
    await pilot.press("enter")
    await until(pilot, copy.exists)
    assert text(copy) == text(net) == before.replace("our net", "my net")
    await pilot.press("escape")
    await until(pilot, lambda: app.screen is app.main)
    await pilot.press("z")
    await until(pilot, lambda: text(net).endswith("# theirs\n"))


async def _frozen(app: BaristaApp, pilot: Pilot[None], solver: Path) -> None:
    await pilot.press("0", "space")
    await until(pilot, lambda: state_of(app, "it") is State.RUNNING)
    await pilot.press("4")
    await until(pilot, lambda: "Frozen while it runs: space pauses it" in shown(app))
    await until(pilot, lambda: (app.main.session is not None and app.main.session.iteration) or 0)
    await pilot.press("0", "space")
    await until(pilot, lambda: state_of(app, "it") is State.PAUSED)
    await pilot.press("4")
    await until(
        pilot,
        lambda: "it has been trained with this" in shown(app) and "R throws its runs away" in shown(app),
    )
    await _go(app, pilot, "base_lr")
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(app.screen, ConfirmScreen) and "base_lr is frozen" in shown(app))
    await pilot.press("tab", "enter")
    await until(pilot, lambda: isinstance(app.screen, CloneScreen))
    await pilot.press("escape")
    await until(pilot, lambda: app.screen is app.main and "frozen: it has been trained with it" in shown(app))
    await _go(app, pilot, "max_iter")
    await pilot.press("enter", "ctrl+u", *"200000", "enter")
    await until(pilot, lambda: "max_iter: 200000" in text(solver))
