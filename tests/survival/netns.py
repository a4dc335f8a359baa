"""A network namespace of its own behind a pair of virtual cards: the cable can be pulled."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@dataclass
class Namespace:
    """``inside`` is the address of what runs in it."""

    name: str
    inside: str

    @classmethod
    def make(cls) -> Namespace:
        number = os.getpid()
        name = f"barista-{number}"
        net = f"10.{200 + number % 50}.{number // 50 % 256}"
        here, there = f"bar{number}a", f"bar{number}b"
        made = cls(name, f"{net}.2")
        _ip("netns", "add", name)
        try:
            _ip("link", "add", here, "type", "veth", "peer", "name", there, "netns", name)
            _ip("addr", "add", f"{net}.1/30", "dev", here)
            _ip("link", "set", here, "up")
            _ip("-n", name, "addr", "add", f"{net}.2/30", "dev", there)
            made.plug("up")
        except BaseException:
            made.remove()
            raise
        return made

    def plug(self, how: str) -> None:
        """``up`` or ``down``, at the far end: whoever is here sends into the void and is told nothing."""
        _ip("-n", self.name, "link", "set", f"{self.name.replace('barista-', 'bar')}b", how)

    def remove(self) -> None:
        """Its cards go with it; processes in it go on without."""
        subprocess.run(["ip", "netns", "del", self.name], check=False, capture_output=True)

    def command(self, *argv: str) -> list[str]:
        """The words that run a program in it."""
        return ["ip", "netns", "exec", self.name, *argv]
