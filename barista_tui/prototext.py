"""Where the blocks of a prototxt begin and end, to show one of them as it was written. Pure."""

from __future__ import annotations

import re
from functools import lru_cache

_TOKEN = re.compile(r"""#[^\n]*|"(?:[^"\\\n]|\\.)*"?|'(?:[^'\\\n]|\\.)*'?|[{}<>]|\n|[^\s{}<>"'\#:;,]+""")
_NAME = re.compile(r"""\bname\s*:\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)')""")


@lru_cache(maxsize=8)
def layer_blocks(text: str) -> tuple[tuple[int, str], ...]:
    """Line (1-based) and text of every ``layer`` block, ``layers`` in old files; one without an end to the
    end of the text.
    """
    blocks: list[tuple[int, str]] = []
    line, depth, word, begun = 1, 0, ("", 0, 0), None
    for match in _TOKEN.finditer(text):
        token = match.group()
        if token == "\n":
            line += 1
        elif token in "{<":
            if depth == 0 and word[0] in ("layer", "layers"):
                begun = word
            depth += 1
        elif token in "}>":
            depth = max(0, depth - 1)
            if depth == 0 and begun is not None:
                blocks.append((begun[2], text[begun[1] : match.end()]))
                begun = None
        elif depth == 0 and not token.startswith("#"):
            word = (token, match.start(), line)
    if begun is not None:
        blocks.append((begun[2], text[begun[1] :]))
    return tuple(blocks)


def layer_block(text: str, line: int, name: str) -> str:
    """The block that begins on a line; where several do, the one of that name. Empty if there is none."""
    here = [block for at, block in layer_blocks(text) if at == line]
    for block in here:
        found = _NAME.search(block)
        if found and name in (found.group(1), found.group(2)):
            return block
    return here[0] if len(here) == 1 else ""
