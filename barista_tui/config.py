"""``config.toml``: what the person decides once, beside what is remembered of how things were looked at.

pixels = "auto"             # true pixels of weights: auto, sixel, kitty, off

[keys]                      # keymap.py
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from barista_tui.hosts import folder


def path() -> Path:
    """The file, in the user's folder for configuration."""
    return folder() / "config.toml"


def read() -> tuple[dict[str, Any], str | None]:
    """What it says, and why it cannot be read; nothing where there is none."""
    file = path()
    try:
        return tomllib.loads(file.read_text()), None
    except FileNotFoundError:
        return {}, None
    except tomllib.TOMLDecodeError as error:
        return {}, f"{file}: {error}; what it says is not used"
    except (OSError, UnicodeDecodeError) as error:
        return {}, f"{file} cannot be read: {error}"
