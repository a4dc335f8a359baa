"""A list of answers from which one goes on to a field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from textual.widgets import OptionList


class LeadingList(OptionList):
    """Enter or a click leads on, before the next key is looked at; a message would come too late."""

    def __init__(self, *content: Any, lead: Callable[[], object], id: str) -> None:
        super().__init__(*content, id=id, compact=True)
        self._lead = lead

    def action_select(self) -> None:
        super().action_select()
        if self.highlighted is not None:
            self._lead()
