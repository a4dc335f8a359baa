"""Size of an image from the head of its file, for JPEG and PNG: what Caffe learns by decoding it."""

from collections.abc import Iterator
from struct import error, unpack_from

from barista_server.caffe.blobshape import Shape

HEAD = 1 << 18
"""Bytes of a file that are surely enough, unless there is a lot of other things in it in front."""

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 4, 6: 4}  # by colour type, as OpenCV hands them over
_SIZED = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # JPEG's frame headers, the first byte of them 0xFF
_BARE = {0x01, *range(0xD0, 0xD9)}  # JPEG's markers without a length


def image_size(head: bytes) -> Shape | None:
    """(channels, height, width) of an image left as it is; None for what is no JPEG or PNG."""
    try:
        if head.startswith(_PNG):
            return _png(head)
        if head.startswith(b"\xff\xd8"):
            return _jpeg(head)
    except error:  # the head ends before it is told
        pass
    return None


def _png(head: bytes) -> Shape | None:
    width, height, depth, colour = unpack_from(">IIBB", head, 16)
    transparent = any(kind == b"tRNS" for kind in _chunks(head))
    channels = 4 if transparent else _PNG_CHANNELS.get(colour)
    return None if channels is None or not depth else (channels, height, width)


def _chunks(head: bytes) -> Iterator[bytes]:
    """Kinds of the chunks in front of the pixels."""
    at = len(_PNG)
    while at + 8 <= len(head):
        length, kind = unpack_from(">I4s", head, at)
        if kind == b"IDAT":
            return
        yield kind
        at += length + 12


def _jpeg(head: bytes) -> Shape | None:
    at = 2
    while True:
        mark, kind = unpack_from("BB", head, at)
        if mark != 0xFF:
            return None
        if kind == 0xFF or kind in _BARE:
            at += 1 if kind == 0xFF else 2
        elif kind in _SIZED:
            height, width, components = unpack_from(">HHB", head, at + 5)
            return (1 if components == 1 else 3, height, width)
        else:
            at += 2 + int(unpack_from(">H", head, at + 2)[0])
