"""Keys that a person chooses; the page about keys."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace
from textual.content import Content
from textual.widgets import Static

from barista_tui import config, keydoc, keymap
from barista_tui.actions import BY_ID, key_word
from barista_tui.allowed import Context
from barista_tui.keymap import Keymap, arranged
from barista_tui.managerkeys import textual_keymap
from barista_tui.screens.add_host import AddHostScreen
from barista_tui.screens.help import HelpScreen
from barista_tui.screens.input_add import AddInput
from barista_tui.store import LinkState

from .support import made, opened, shown, until

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_about_keys_is_the_table() -> None:
    assert (DOCS / "keys.md").read_text() == keydoc.markdown(), (
        "python -m barista_tui.keydoc > docs/keys.md makes it anew"
    )


def test_a_chosen_key_is_taken_from_who_had_it_and_that_is_told() -> None:
    found = arranged({"snapshot": "r, f7"})
    assert found.keys == {"snapshot": ("r", "f7"), "rename": ()}
    assert found.problems == ("keys: r now does snapshot, no longer rename (its keys: none)",)


def test_two_wishes_for_one_key_are_told() -> None:
    found = arranged({"snapshot": "f7", "rename": "f7, f8"})
    assert found.keys["snapshot"] == ("f7",) and found.keys["rename"] == ("f8",)
    assert "F7 is given to both snapshot and rename" in found.problems[0]


def test_signs_are_written_as_they_look_and_none_is_no_key() -> None:
    found = arranged({"filter": "<", "theme": "", "move-down": "n, ctrl+n"})
    assert found.keys["filter"] == ("less_than_sign",) and found.keys["theme"] == ()
    assert found.keys["narrower"] == () and found.moves == {"move-down": "n,ctrl+n"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[keys\n", "what it says is not used"),
        ("keys = 3\n", "keys must be a table"),
        ('[keys]\nsnapshoot = "f7"\n', "there is no action 'snapshoot'"),
        ("[keys]\nsnapshot = 7\n", "snapshot must be a text"),
    ],
)
def test_what_is_wrong_with_the_file_is_told(
    text: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert keymap.load() == Keymap()
    config.path().parent.mkdir()
    config.path().write_text(text)
    found = keymap.load()
    assert words in found.problems[0] and not found.keys


def test_keys_of_managers_are_remapped_within_their_own_screen() -> None:
    found = arranged({"inputs-add": "f", "snapshot": "f8", "hosts-add": "f8"})
    assert found.keys == {
        "inputs-add": ("f",),
        "inputs-search": (),
        "snapshot": ("f8",),
        "hosts-add": ("f8",),
    }
    assert found.problems == ("keys: f now does inputs-add, no longer inputs-search (its keys: none)",)
    assert textual_keymap(found.keys) == {"inputs-add": "f", "inputs-search": "no_key", "hosts-add": "f8"}


def test_keys_read_as_people_write_them() -> None:
    words = [key_word(key) for key in ("ctrl+p", "shift+up", "f10", "alt+s", "less_than_sign", "G")]
    assert words == ["^p", "⇧↑", "F10", "alt+s", "<", "G"]


def test_reasons_name_the_key_that_the_person_has() -> None:
    lost = Context(link=LinkState("offline"), keys={"link": ("f7",)})
    assert BY_ID["rename"].refused(lost) == "local is offline: press F7 to connect it"
    assert BY_ID["rename"].refused(replace(lost, keys={})) == "local is offline: press U to connect it"
    assert "press the menu (link)" in (BY_ID["rename"].refused(replace(lost, keys={"link": ()})) or "")


async def test_a_remapped_key_works_and_is_what_the_screen_shows(root: Path) -> None:
    await made(root, "one", start=False)
    config.path().parent.mkdir(parents=True, exist_ok=True)
    config.path().write_text(
        '[keys]\nrename = "f7"\nmove-down = "ctrl+n"\nquit = "ctrl+x"\n'
        'tree-open = "f6"\ntree-diff = ""\ninputs-add = "f8"\nhosts-add = "f8"\nhosts-leave = "f9"\n'
    )
    async with opened(root) as (app, pilot):
        await until(pilot, lambda: app.main.session is not None and "^x Quit" in shown(app))
        await pilot.press("r")
        assert app.screen is app.main
        await pilot.press("f7")
        await until(pilot, lambda: "Rename one" in shown(app))
        await pilot.press("escape", "q")
        assert app.is_running and app.screen is app.main
        await pilot.press("f10")
        await until(pilot, lambda: any("Rename" in line and "F7" in line for line in shown(app).splitlines()))
        await pilot.press("escape", "f2")
        await until(pilot, lambda: "F8 Add" in shown(app))
        await pilot.press("a", "f8")
        await until(pilot, lambda: isinstance(app.screen, AddInput))
        await pilot.press("escape", "f1")
        await until(pilot, lambda: "F8             Put a dataset" in shown(app))
        await pilot.press("escape", "escape", "f3")
        await until(pilot, lambda: "F8 Add" in shown(app) and "F9 Back" in shown(app))
        await pilot.press("a", "escape", "f8")
        await until(pilot, lambda: isinstance(app.screen, AddHostScreen))
        await pilot.press("escape", "f9")
        assert app.screen is app.main
        await pilot.press("Y", "enter")
        await until(pilot, lambda: "F6 Go to" in shown(app) and "1 one" in shown(app))
        await pilot.press("V", "enter", "f6")
        await until(pilot, lambda: app.screen is app.main)
        await pilot.press("f1")
        await until(pilot, lambda: isinstance(app.screen, HelpScreen))
        helped = app.screen.query("#help-body Static").last(Static).render()
        assert isinstance(helped, Content) and "^n            Down a line" in helped.plain
        await pilot.press("escape", "ctrl+x")
        await until(pilot, lambda: not app.is_running)
    assert BY_ID["rename"].keys == ("r",)
