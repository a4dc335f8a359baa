"""Why a call is not carried out."""

from __future__ import annotations

from barista_server.api.messages import Problem


class CallError(Exception):
    """Becomes a Failure; ``text`` goes on after the session's name where the call is about one."""

    def __init__(
        self, code: str, text: str, hint: str | None = None, problems: list[Problem] | None = None
    ) -> None:
        super().__init__(text)
        self.code = code
        self.text = text
        self.hint = hint
        self.problems = problems or []


class ListenError(Exception):
    """The agent's own port cannot be opened. The text says why and what to do."""
