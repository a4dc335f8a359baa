"""Keys as people read them."""

from __future__ import annotations

_KEY_WORDS = {
    "space": "space",
    "slash": "/",
    "question_mark": "?",
    "plus": "+",
    "minus": "-",
    "equals_sign": "=",
    "less_than_sign": "<",
    "greater_than_sign": ">",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "left_curly_bracket": "{",
    "right_curly_bracket": "}",
    "semicolon": ";",
    "colon": ":",
    "ampersand": "&",
    "asterisk": "*",
    "comma": ",",
    "full_stop": ".",
    "left": "←",
    "right": "→",
    "up": "↑",
    "down": "↓",
    "escape": "esc",
    "delete": "del",
    "f22": "⇧F10",
    "menu": "menu",
}


def key_word(key: str) -> str:
    """A key as people read it: ``^p`` for ctrl+p, ``⇧↑``, ``F1``."""
    *modifiers, last = key.split("+") if key != "+" else ["+"]
    word = _KEY_WORDS.get(last, last.upper() if last[0] == "f" and last[1:].isdigit() else last)
    signs = {"ctrl": "^", "shift": "⇧", "alt": "alt+"}
    return "".join(signs.get(each, f"{each}+") for each in modifiers) + word
