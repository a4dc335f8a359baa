"""The command palette, fed by the action table."""

from __future__ import annotations

from functools import partial

from textual.await_complete import AwaitComplete
from textual.command import CommandPalette, DiscoveryHit, Hit, Hits, Provider, SearchIcon
from textual.content import Content

from barista_tui.actions import ACTIONS, Action, key_word, keys_of, label
from barista_tui.allowed import Context
from barista_tui.screens.dialog import is_left
from barista_tui.screens.main import MainScreen


class ActionProvider(Provider):
    """Every action by name; what cannot be done now says why in its place."""

    def _main(self) -> MainScreen | None:
        return self.screen if isinstance(self.screen, MainScreen) else None

    @staticmethod
    def _words(action: Action, context: Context) -> tuple[str, str]:
        refused = action.refused(context)
        keys = " ".join(key_word(key) for key in keys_of(action, context)[:2])
        help_text = f"not now: {refused}" if refused else action.help
        return f"{action.group}: {label(action, context)}", f"{keys:<8} {help_text}"

    async def discover(self) -> Hits:
        main = self._main()
        if main is None:
            return
        context = main.context()
        for action in ACTIONS:
            name, words = self._words(action, context)
            shown = Content.styled(name, "dim") if action.refused(context) else Content(name)
            yield DiscoveryHit(shown, partial(main.action_do, action.id), text=name, help=words)

    async def search(self, query: str) -> Hits:
        main = self._main()
        if main is None:
            return
        context = main.context()
        matcher = self.matcher(query)
        for action in ACTIONS:
            name, words = self._words(action, context)
            score = max(matcher.match(name), matcher.match(action.help) * 0.8)
            if score > 0:
                shown = matcher.highlight(name) if matcher.match(name) > 0 else Content(name)
                yield Hit(score, shown, partial(main.action_do, action.id), text=name, help=words)


class ActionPalette(CommandPalette):
    """Textual's palette over the action table."""

    def __init__(self) -> None:
        super().__init__([ActionProvider], placeholder="what to do …", id="--command-palette")

    def dismiss(self, result: None = None) -> AwaitComplete:
        """Leave it, once."""
        return AwaitComplete() if is_left(self) else super().dismiss(result)

    def on_mount(self) -> None:
        # The magnifying glass takes one cell in some terminals and two in others.
        self.query_one(SearchIcon).icon = "›"
