"""Whether this terminal can show true pixels, how, and how large a cell is. No numpy here.

Kitty's graphics are known by the environment alone: their question, an APC string, becomes a title in tmux,
text elsewhere. For sixel the terminal is asked for its attributes (DA1), which all know since the VT100 and
tmux answers for itself; only when a picture is first wanted. The answers are taken out of the keys.
"""

from __future__ import annotations

import fcntl
import re
import struct
import sys
import termios
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Literal

from msgspec import Struct
from textual._xterm_parser import XTermParser
from textual.css.query import NoMatches
from textual.errors import NoWidget
from textual.message import Message

from barista_tui import config

if TYPE_CHECKING:
    from barista_tui.widgets.picture import Picture

Wanted = Literal["auto", "sixel", "kitty", "off"]
WANTED: tuple[Wanted, ...] = ("auto", "sixel", "kitty", "off")
Kind = Literal["sixel", "kitty"]
Cell = tuple[int, int]
"""Width and height of a character in pixels."""

QUESTION = "\x1b[16t\x1b[c"
"""How large is a cell, and what are you? The second one is answered by all, and comes last."""
SIXEL = 4
"""Among the attributes of a terminal: it shows sixels."""
VT340: Cell = (10, 20)
"""Cells of a terminal that does not tell, where sixel was asked for by name."""
LARGEST_OF_XTERM = 1000
"""Pixels of a side that xterm draws as it comes."""
_PLAIN = ("dumb", "unknown", "linux", "vt52", "eterm", "ansi", "cons25")
_DEVICE, _CELL = r"\x1b\[\?[\d;]*c", r"\x1b\[6;\d+;\d+t"
_ANSWER = re.compile(f"{_DEVICE}|{_CELL}")
_BEGUN = re.compile(r"\x1b\[(\?[\d;]*|6(;\d*){0,2})$")


class Means(Struct, frozen=True):
    """How pictures are shown: the protocol, the size of a cell."""

    kind: Kind
    cell: Cell
    largest: int | None = None
    """Pixels of a side at most."""


def by_environment(environ: Mapping[str, str]) -> Kind | Literal["ask"] | None:
    """What the environment says; ``ask``: the terminal has to."""
    term = environ.get("TERM", "dumb")
    if not term or term.startswith(_PLAIN) or "NO_COLOR" in environ:
        return None
    if "TMUX" in environ or "STY" in environ or term.startswith(("tmux", "screen")):
        return "ask"
    kitty = "KITTY_WINDOW_ID" in environ or environ.get("TERM_PROGRAM") == "ghostty"
    return "kitty" if kitty or term in ("xterm-kitty", "xterm-ghostty") else "ask"


def setting() -> tuple[Wanted, str | None]:
    """``pixels`` of ``config.toml``, and what is wrong with it."""
    wanted = config.read()[0].get("pixels", "auto")
    if wanted in WANTED:
        return wanted, None
    return "auto", f'{config.path()}: pixels must be one of {", ".join(WANTED)}, as in pixels = "off"'


class Answered(Message):
    """What the terminal says of itself."""

    def __init__(self, attributes: frozenset[int] | None = None, cell: Cell | None = None) -> None:
        super().__init__()
        self.attributes = attributes
        self.cell = cell


class Answers:
    """Takes the terminal's answers out of what it sends, also where they come in pieces."""

    def __init__(self) -> None:
        self._held = ""

    def take(self, data: str) -> tuple[str, list[Answered]]:
        """The keys that are left, and the answers."""
        data, self._held = self._held + data, ""
        found = [_read(match.group()) for match in _ANSWER.finditer(data)]
        rest = _ANSWER.sub("", data)
        if begun := _BEGUN.search(rest):
            rest, self._held = rest[: begun.start()], begun.group()
        return rest, found

    def left(self) -> str:
        """What was held and is no answer, at the end."""
        held, self._held = self._held, ""
        return held


def _read(answer: str) -> Answered:
    numbers = [int(each) for each in re.findall(r"\d+", answer)]
    if answer.endswith("c"):
        return Answered(attributes=frozenset(numbers))
    _, height, width = numbers
    return Answered(cell=(width, height))


class AskingParser(XTermParser):
    """Textual's reader of keys, to which the answers would be keys."""

    def __init__(self, debug: bool = False) -> None:
        super().__init__(debug)
        self._answers = Answers()

    def feed(self, data: str) -> Iterable[Message]:
        return self._fed(data)

    def _fed(self, data: str) -> Iterator[Message]:
        rest, found = self._answers.take(data) if data else (self._answers.left(), [])
        yield from found
        if rest:
            yield from super().feed(rest)
        if not data:
            yield from super().feed("")


def cell_by_size() -> Cell | None:
    """Of the terminal's size in pixels, where it tells that too."""
    stream = sys.__stdout__
    try:
        if stream is None or not stream.isatty():
            return None
        answer = fcntl.ioctl(stream.fileno(), termios.TIOCGWINSZ, bytes(8))
    except OSError:
        return None
    rows, columns, width, height = struct.unpack("HHHH", answer)
    return (width // columns, height // rows) if rows and columns and width and height else None


class Pixels:
    """What this terminal can, once it is known; pictures that are to be painted over their cells."""

    def __init__(
        self,
        wanted: Wanted,
        environ: Mapping[str, str],
        write: Callable[[str], None],
        cell: Callable[[], Cell | None] = cell_by_size,
    ) -> None:
        self.write = write
        self._wanted = wanted
        self._cell = cell
        self._told: Cell | None = None
        self._largest = LARGEST_OF_XTERM if "XTERM_VERSION" in environ else None
        self._kind: Kind | Literal["ask"] | None = by_environment(environ)
        self._due: set[Picture] = set()
        if wanted == "off" or self._kind is None:
            self._kind = None
        elif wanted != "auto":
            self._kind = wanted

    def wake(self) -> None:
        """Somebody wants a picture: the first time the terminal is asked, if it has to be."""
        if self._kind == "ask":
            self._kind = None
            self.write(QUESTION)

    def heard(self, answer: Answered) -> bool:
        """Whether anything is different with the answer."""
        before = self.means
        if answer.cell is not None and all(answer.cell):
            self._told = answer.cell
        elif answer.attributes is not None and SIXEL in answer.attributes and self._wanted == "auto":
            self._kind = self._kind or "sixel"
        return self.means != before

    @property
    def means(self) -> Means | None:
        """None: cells are all there is."""
        if self._kind is None or self._kind == "ask":
            return None
        cell = self._cell() or self._told
        if cell is None and self._kind == "sixel" and self._wanted == "auto":
            return None  # Of unknown size it would cover what stands around it.
        return Means(self._kind, cell or VT340, self._largest)

    # ---------------------------------------------------------------------------------- sixels over cells

    def rewritten(self, picture: Picture) -> None:
        """Cells of the picture go to the terminal: they erase its pixels."""
        self._due.add(picture)

    def paint(self) -> None:
        """After the cells: pictures whose cells were written, where nothing stands before them."""
        for picture in list(self._due):
            if picture.sixels and (place := _uncovered(picture)):
                x, y = place
                self._due.discard(picture)
                self.write(f"\x1b7\x1b[{y + 1};{x + 1}H{picture.sixels}\x1b8")
            elif not picture.sixels or not picture.is_attached:
                self._due.discard(picture)


def _uncovered(picture: Picture) -> tuple[int, int] | None:
    """Where it stands, if all of it can be seen."""
    if not picture.is_attached or not picture.screen.is_active:
        return None
    try:
        found = picture.screen.find_widget(picture)
    except (NoWidget, NoMatches):
        return None
    region = found.region
    if not region.area or found.visible_region != region:
        return None
    over = [each for each in picture.screen.query("Toast, Tooltip") if each.display]
    return None if any(each.region.overlaps(region) for each in over) else (region.x, region.y)
