"""What is in a dataset: facts and a histogram of labels at the left, samples at the right."""

from __future__ import annotations

from math import prod

from textual.app import ComposeResult
from textual.containers import Horizontal, ItemGrid, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from barista_server.api.messages import DatasetFacts, LabelHistogram, Thumbnail
from barista_tui import datasets


class DatasetLook(Horizontal):
    """Paints what it is given; who made it fetches."""

    DEFAULT_CSS = """
    DatasetLook { height: 1fr; }
    DatasetLook #look-facts { width: 1fr; height: 1fr; padding: 0 1; scrollbar-size-vertical: 1; }
    DatasetLook #look-samples { width: 1fr; height: 1fr; padding: 0 1; scrollbar-size-vertical: 1; }
    DatasetLook Static { height: auto; }
    DatasetLook ItemGrid { height: auto; grid-gutter: 0 1; keyline: none; }
    DatasetLook .sample { width: 1fr; }
    """

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="look-facts", can_focus=False):
            yield Static(id="facts")
            yield Static(id="bars")
        with VerticalScroll(id="look-samples", can_focus=False):
            yield Static(id="note")
            yield ItemGrid(id="pictures", min_column_width=16)

    _wide, _high = 16, 16
    """Pixels of a picture, as far as the shape tells."""

    def expect(self, facts: DatasetFacts) -> None:
        """Pictures of this dataset come next: how large they will be."""
        largest = max((top.shape for top in facts.tops), key=prod, default=[])
        high, wide = largest[-2:] if len(largest) >= 2 else (1, 1)
        if facts.encoded or min(high, wide) < 1:
            high, wide = self.side, self.side
        part = min(1.0, self.side / max(high, wide))
        self._high, self._wide = max(1, round(high * part)), max(8, round(wide * part))

    @property
    def side(self) -> int:
        """Pixels of a picture's longer side that there is room for."""
        return 32 if self.size.height >= 20 and self.size.width >= 100 else 16

    @property
    def count(self) -> int:
        """Pictures that there is room for."""
        across = max(1, (self.size.width // 2 - 2) // (self._wide + 1))
        down = max(1, self.size.height // ((self._high + 1) // 2 + 1))
        return min(64, across * down)

    def show_facts(self, facts: Content) -> None:
        """What is known without asking."""
        self.query_one("#facts", Static).update(facts)

    def show_bars(self, found: LabelHistogram | None) -> None:
        """The histogram; None: there is none to show (yet)."""
        width = max(10, self.size.width // 2 - 4)
        bars = datasets.bars(found, width) if found is not None else Content("")
        self.query_one("#bars", Static).update(bars)

    def note(self, text: Content) -> None:
        """A word in place of pictures."""
        self.query_one("#note", Static).update(text)
        self.query_one("#note").display = bool(text.plain)

    async def show_samples(self, samples: list[Thumbnail]) -> None:
        """The pictures, each with its number and labels below."""
        self.note(Content(""))
        colors = not self.app.no_color
        grid = self.query_one(ItemGrid)
        grid.min_column_width = self._wide
        # Removed and mounted in one go: no frame is empty between.
        async with self.batch():
            await grid.remove_children()
            await grid.mount_all(
                Static(
                    Content("\n").join(
                        [datasets.picture(each, colors), Content.styled(datasets.caption(each), "$dim")]
                    ),
                    classes="sample",
                )
                for each in samples
            )
