"""What a session may be called."""

from __future__ import annotations

from barista_server.agent.errors import CallError
from barista_server.api.text import MOST_NAME, clean_name


def valid_name(given: str, who: str = "") -> str:
    """``given`` as a name for ``who`` (a blank follows). Raises CallError."""
    name = clean_name(given)
    if not name:
        text = f"{who}needs a name that can be seen"
        raise CallError("invalid", text, "Give it one of letters, digits or signs.")
    if len(name) > MOST_NAME:
        text = f"{who}needs a shorter name: {len(name)} characters are more than {MOST_NAME}"
        raise CallError("invalid", text)
    return name
