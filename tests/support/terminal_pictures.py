"""What terminals make of sixels and of kitty's graphics, to be compared with the picture."""

from __future__ import annotations

import re
import zlib
from base64 import b64decode
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


def sixel_pixels(text: str) -> NDArray[np.uint8]:
    """(height, width, 3) of a DCS string with raster attributes. What is drawn by no sixel is 1, 2, 3."""
    head = re.match(r'\x1bP[\d;]*q"1;1;(\d+);(\d+)', text)
    assert head is not None and text.endswith("\x1b\\")
    width, height = int(head[1]), int(head[2])
    pixels = np.full((height + 6, width, 3), (1, 2, 3), np.uint8)
    colors: dict[int, tuple[int, int, int]] = {}
    x = y = ink = 0
    for word in re.finditer(
        r"#(\d+)(?:;2;(\d+);(\d+);(\d+))?|!(\d+)([?-~])|[?-~]|[$-]", text[head.end() : -2]
    ):
        sign = word.group()
        if sign[0] == "#":
            ink = int(word[1])
            if word[2] is not None:
                colors[ink] = tuple(round(int(word[each]) * 255 / 100) for each in (2, 3, 4))
        elif sign == "$":
            x = 0
        elif sign == "-":
            x, y = 0, y + 6
        else:
            count, bits = (int(word[5]), word[6]) if word[5] else (1, sign)
            for bit in range(6):
                if (ord(bits) - 63) >> bit & 1:
                    pixels[y + bit, x : x + count] = colors[ink]
            x += count
    assert (pixels[height:] == (1, 2, 3)).all(), "sixels below the picture"
    return pixels[:height]


@dataclass
class Kitty:
    """``pictures``: pixels by id; ``places``: columns and rows, of those that characters stand for."""

    pictures: dict[int, NDArray[np.uint8]] = field(default_factory=dict)
    places: dict[int, tuple[int, int]] = field(default_factory=dict)

    def read(self, text: str) -> str:
        """Take in all messages; returns what is left."""
        pending: dict[str, str] = {}
        data = ""
        for control, payload in re.findall(r"\x1b_G([^;\x1b]*)(?:;([^\x1b]*))?\x1b\\", text):
            keys = dict(each.split("=") for each in control.split(","))
            assert keys["q"] == "2" and len(payload) <= 4096, "answers would be keys"
            if keys.get("a") == "p":
                assert keys["U"] == "1"
                self.places[int(keys["i"])] = (int(keys["c"]), int(keys["r"]))
                continue
            pending, data = (keys, payload) if "a" in keys else (pending, data + payload)
            if keys["m"] == "0":
                rgb = np.frombuffer(zlib.decompress(b64decode(data)), np.uint8)
                size = (int(pending["v"]), int(pending["s"]), 3)
                self.pictures[int(pending.get("i", 0))] = rgb.reshape(size)
        return re.sub(r"\x1b_G[^\x1b]*\x1b\\", "", text)
