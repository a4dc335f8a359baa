"""Lists of data files that a net names: in the session's folder they shall mean the same files as before.

Caffe takes the paths inside such a list from its working directory, which is the session's folder.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath

from barista_server.agent.compose import Value, absolute, edited, quote, unquote
from barista_server.caffe.prototxt import PrototxtError
from barista_server.caffe.schema import NetParameter
from barista_server.caffe.tolerant import parse_tolerant

FOLDER = "lists"
"""Within the session's folder."""

Read = Callable[[str], bytes]
"""Content of a file by absolute path. Raises OSError."""


def adopt_lists(net: str, base: str, read: Read) -> tuple[str, dict[str, bytes]]:
    """The net, and the files to lay beside it, by relative name.

    A list of HDF5 files with relative paths is copied with absolute ones. A list of images stays where it is
    (it may be long); relative paths in it are led back to ``base`` by a root_folder. Lists that cannot be
    read are left alone.
    """
    if not base:
        return net, {}
    beside: dict[str, bytes] = {}
    names: dict[str, str] = {}
    rootless = _lists_without_root(net)

    def edit(value: Value) -> str | None:
        path = unquote(value.text)
        if value.path.endswith("hdf5_data_param.source"):
            if path not in names:
                content = _with_absolute_paths(path, base, read)
                if content is None:
                    return None
                names[path] = _free_name(PurePath(path).name, beside)
                beside[names[path]] = content
            return quote(names[path])
        if value.path.endswith("image_data_param.source") and path in rootless:
            first = _first_line(path, read)
            if first and not first.startswith(b"/"):
                return f"{value.text} root_folder: {quote(base.rstrip('/') + '/')}"
        return None

    return edited(net, edit), beside


def _lists_without_root(net: str) -> set[str]:
    try:
        layers = parse_tolerant(net, NetParameter)[0].layer
    except PrototxtError:
        return set()
    images = [layer.image_data_param for layer in layers if layer.HasField("image_data_param")]
    return {image.source for image in images if not image.HasField("root_folder")}


def _with_absolute_paths(path: str, base: str, read: Read) -> bytes | None:
    """The list rewritten; None where it need not or cannot be."""
    try:
        names = read(path).decode("utf-8", "surrogateescape").split()
    except OSError:
        return None
    if all(name.startswith("/") for name in names):
        return None
    return "".join(f"{absolute(name, base)}\n" for name in names).encode("utf-8", "surrogateescape")


def _first_line(path: str, read: Read) -> bytes:
    try:
        return read(path).lstrip().partition(b"\n")[0]
    except OSError:
        return b""


def _free_name(name: str, taken: dict[str, bytes]) -> str:
    free, number = f"{FOLDER}/{name}", 1
    while free in taken:
        number += 1
        free = f"{FOLDER}/{number}-{name}"
    return free
