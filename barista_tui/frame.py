"""Where the panes lie on a screen of a given size. Pure: cells in, regions out.

Wide screens show the list left, a tab right of it, and on tall ones the console below; on narrow ones one
pane has it all, and where the list is short the plot stands below it.
"""

from __future__ import annotations

from msgspec import Struct
from textual.geometry import Region, Size

WIDE = 120
"""Columns from which list and tab stand side by side."""
TALL = 32
"""Rows, without header and footer, from which a wide screen has the console below."""
LEAST_LIST, LEAST_TAB = 44, 48
"""Columns that either side of the divider keeps."""
LEAST_TOP, LEAST_DOCK = 10, 5
"""Rows that either side of the console's divider keeps."""
LEAST_PREVIEW = 10
"""Rows that the plot needs below the list to be worth it."""


class Shares(Struct, frozen=True):
    """Parts of the width for the list, of the height for the console below."""

    list: float = 0.52
    dock: float = 0.34


class Shape(Struct, frozen=True):
    """How the panes are laid out: ``tab`` right of the list or, narrow, alone; ``active`` has the focus."""

    size: Size
    tab: str
    active: str
    rows: int = 0
    """Rows that the list wants, its heading included."""
    shares: Shares = Shares()

    @property
    def wide(self) -> bool:
        """List and tab stand side by side."""
        return self.size.width >= WIDE

    @property
    def docked(self) -> bool:
        """The console has a place of its own below."""
        return self.wide and self.size.height >= TALL

    @property
    def preview(self) -> bool:
        """The plot stands below a short list."""
        left = self.size.height - 1 - self.list_rows
        return not self.wide and self.active == "sessions" and self.rows > 0 and left >= LEAST_PREVIEW

    @property
    def list_rows(self) -> int:
        """Rows of a list above a preview: three sessions at least, so that it does not move with each of the
        first ones, and one to breathe.
        """
        return max(4, self.rows) + 1

    @property
    def shown(self) -> frozenset[str]:
        """Names of the panes that can be seen."""
        if not self.wide:
            return frozenset({self.active, "plot"} if self.preview else {self.active})
        return frozenset({"sessions", self.tab, *(["console"] if self.docked else [])})

    def regions(self) -> dict[str, Region]:
        """By pane, and of ``strip``, ``divider``, ``dock-divider`` and ``dock-title``."""
        return self._wide() if self.wide else self._narrow()

    def _wide(self) -> dict[str, Region]:
        width, height = self.size
        list_width = min(max(round(width * self.shares.list), LEAST_LIST), width - 1 - LEAST_TAB)
        top = height
        placed = {}
        if self.docked:
            dock = min(max(round(height * self.shares.dock), LEAST_DOCK), height - LEAST_TOP)
            top = height - dock
            placed["dock-divider"] = Region(0, top, width, 1)
            placed["dock-title"] = Region(0, top + 1, width, 1)
            placed["console"] = Region(0, top + 2, width, dock - 2)
        placed["sessions"] = Region(0, 0, list_width, top)
        placed["divider"] = Region(list_width, 0, 1, top)
        placed["strip"] = Region(list_width + 1, 0, width - list_width - 1, 1)
        placed[self.tab] = Region(list_width + 1, 1, width - list_width - 1, top - 1)
        return placed

    def _narrow(self) -> dict[str, Region]:
        width, height = self.size
        placed = {"strip": Region(0, 0, width, 1)}
        if self.preview:
            placed["sessions"] = Region(0, 1, width, self.list_rows)
            placed["plot"] = Region(0, 1 + self.list_rows, width, height - 1 - self.list_rows)
        else:
            placed[self.active] = Region(0, 1, width, max(0, height - 1))
        return placed
