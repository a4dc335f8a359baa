"""Pictures as PNG files (ISO/IEC 15948), for what has no library for pictures among its requirements."""

from __future__ import annotations

import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def png(width: int, height: int, rgb: bytes) -> bytes:
    """A file of 8 bit RGB from ``3 * width * height`` bytes, top row first. Raises ValueError."""
    if width < 1 or height < 1 or len(rgb) != 3 * width * height:
        raise ValueError(f"{len(rgb)} bytes are no picture of {width} x {height}")
    line = 3 * width
    rows = b"".join(b"\0" + rgb[start : start + line] for start in range(0, len(rgb), line))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return SIGNATURE + b"".join(
        _chunk(kind, data)
        for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 6)), (b"IEND", b""))
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
