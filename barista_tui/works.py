"""Long work: what hashes, copies, reads, and how far it is. No Textual here, and no I/O.

work = app.works.begin("copying lenet to gpu01", total=size, cancel=stop)
work.advance(done)          # as often as you like: it is painted gathered
work.end()                  # or work.fail("the disk is full"); both may be called once
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

from barista_tui.store import Key, Known

WINDOW = 5.0
"""Seconds that the rate is taken from."""
LEAST = 0.5
"""Seconds below which nothing is said about the rate."""
SHOW_AFTER = 0.4
"""Seconds that work must have taken to be worth a line."""

Unit = Literal["bytes", "things", ""]
Cancel = Callable[[], None]


@dataclass(frozen=True)
class LongWork:
    """One line of the tray. ``part``: 0 to 1, None where nobody knows; ``rate`` in units a second."""

    id: str
    label: str
    unit: Unit = "bytes"
    done: float = 0.0
    total: float | None = None
    part: float | None = None
    rate: float = 0.0
    eta: float | None = None
    words: str = ""
    """Instead of numbers: ``waiting``."""
    cancel: Cancel | None = field(default=None, compare=False)


class Work:
    """A handle for whoever does the work; made by :meth:`Works.begin`."""

    def __init__(self, works: Works, line: LongWork, now: float) -> None:
        self._works = works
        self.line = line
        self.started = now
        self._samples: deque[tuple[float, float]] = deque([(now, line.done)])

    def advance(self, done: float, total: float | None = None) -> None:
        """So much is done now."""
        now = self._works.now()
        self._samples.append((now, done))
        while len(self._samples) > 2 and self._samples[0][0] < now - WINDOW:
            self._samples.popleft()
        (since, before), total = self._samples[0], total if total is not None else self.line.total
        rate = (done - before) / (now - since) if now - since >= LEAST else 0.0
        part = min(1.0, done / total) if total else None
        eta = (total - done) / rate if total and rate > 0 else None
        self.line = replace(self.line, done=done, total=total, part=part, rate=rate, eta=eta)
        self._works.changed()

    def go_on(self, done: float) -> None:
        """So much was there before: the rate counts from here."""
        self._samples = deque([(self._works.now(), done)])

    def say(self, words: str) -> None:
        """Words in place of numbers."""
        self.line = replace(self.line, words=words)
        self._works.changed()

    def end(self) -> None:
        """It is done, or was cancelled."""
        self._works.forget(self)

    def fail(self, why: str) -> None:
        """It is over, and the person wants to know why."""
        self._works.forget(self)
        self._works.failed(f"{self.line.label}: {why}")


class Works:
    """All long work of this program and, from what is known, that of the agents."""

    def __init__(
        self,
        changed: Callable[[], None] = lambda: None,
        failed: Callable[[str], None] = lambda text: None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.changed = changed
        self.failed = failed
        self.now = now
        self._own: list[Work] = []
        self._seen: dict[str, float] = {}
        """When work of agents was first seen."""
        self._count = 0

    def begin(
        self, label: str, total: float | None = None, unit: Unit = "bytes", cancel: Cancel | None = None
    ) -> Work:
        """A new line. ``cancel`` is called when the person presses x on it; the work then calls ``end``."""
        self._count += 1
        part = 0.0 if total else None
        work = Work(
            self, LongWork(f"own {self._count}", label, unit, 0.0, total, part, cancel=cancel), self.now()
        )
        self._own.append(work)
        self.changed()
        return work

    def forget(self, work: Work) -> None:
        """That work is over."""
        if work in self._own:
            self._own.remove(work)
            self.changed()

    def lines(self, known: Known, cancel: Callable[[Key], None]) -> list[LongWork]:
        """What there is to show; ``cancel`` ends the hashing of a dataset, named by host and id."""
        now = self.now()
        told = list(of_agents(known, cancel))
        self._seen = {line.id: self._seen.get(line.id, now) for line in told}
        own = [work.line for work in self._own if now - work.started >= SHOW_AFTER]
        return own + [line for line in told if now - self._seen[line.id] >= SHOW_AFTER]

    @property
    def any(self) -> bool:
        """Something is going on, shown or about to be."""
        return bool(self._own or self._seen)


def of_agents(known: Known, cancel: Callable[[Key], None]) -> Iterable[LongWork]:
    """Datasets being hashed, logs being read for the first time."""
    for host in known.hosts.values():
        if not host.alive:
            continue
        where = f" on {host.name}" if len(known.hosts) > 1 else ""
        for dataset in host.datasets.values():
            if (job := dataset.job) is not None:
                key = Key(host.name, dataset.id)
                waits = job.what == "waiting"
                yield LongWork(
                    id=f"hash {host.name} {dataset.id}",
                    label=f"hashing {dataset.name}{where}",
                    done=job.bytes,
                    total=job.bytes / job.share if job.share > 0 else None,
                    part=job.share,
                    rate=job.rate,
                    eta=job.eta,
                    words="waiting" if waits else "",
                    cancel=partial(cancel, key),
                )
        for session in host.sessions.values():
            if session.kind == "log" and session.busy:
                words = session.busy.removeprefix("read").strip(" %")
                part = int(words) / 100 if words.isdigit() else None
                yield LongWork(
                    id=f"log {host.name} {session.id}",
                    label=f"reading {session.name}{where}",
                    unit="",
                    part=part,
                )
