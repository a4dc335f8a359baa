"""The few bytes of a program that say which machine and which loader it is for (ELF: elf.h of the gABI)."""

from __future__ import annotations

import struct
from pathlib import Path

_MACHINES = {
    3: "i686",
    8: "mips",
    20: "ppc",
    21: "ppc64le",
    22: "s390x",
    40: "armv7l",
    62: "x86_64",
    183: "aarch64",
    243: "riscv64",
}
"""e_machine, by the names that ``uname -m`` has for them."""
_INTERP = 3
"""p_type of the segment with the loader's path."""
_HEAD = 1 << 16


def machine_of(program: Path) -> str:
    """As ``uname -m`` would say it there; empty where the file does not tell. Blocks."""
    head = _head(program)
    if head[:4] in (b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe"):
        return "macOS"
    if head[:2] == b"MZ":
        return "Windows"
    if head[:4] != b"\x7fELF" or len(head) < 20:
        return ""
    (number,) = struct.unpack_from(_order(head) + "H", head, 18)
    return _MACHINES.get(number, f"another processor (ELF machine {number})")


def wants(program: Path) -> str:
    """The loader of a program, or the interpreter that a script's first line names; empty: none. Blocks."""
    head = _head(program)
    if head[:2] == b"#!":
        words = head[2:].split(b"\n", 1)[0].split()
        return words[0].decode(errors="replace") if words else ""
    if head[:4] != b"\x7fELF" or len(head) < 64 or head[4] != 2:
        return ""
    order = _order(head)
    (begin,) = struct.unpack_from(order + "Q", head, 32)
    size, count = struct.unpack_from(order + "HH", head, 54)
    for number in range(count):
        place = begin + number * size
        if place + 56 > len(head):
            return ""
        kind, _, at, _, _, length = struct.unpack_from(order + "IIQQQQ", head, place)
        if kind == _INTERP:
            return head[at : at + length].rstrip(b"\0").decode(errors="replace")
    return ""


def _head(program: Path) -> bytes:
    try:
        with program.open("rb") as file:
            return file.read(_HEAD)
    except OSError:
        return b""


def _order(head: bytes) -> str:
    return ">" if head[5] == 2 else "<"
