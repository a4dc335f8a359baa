"""Wheels made again from what is installed here, so that a host without internet can have the same.

An installed distribution keeps the list of its files (RECORD); a wheel is those files in a zip, with its own
list. The bytes of a wheel depend on nothing but the files, so that equal ones need not be sent twice.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import importlib.util
import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from email.parser import HeaderParser
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath

OURS = "barista-server"
PACKAGES = ("barista_server", "barista_engine")
"""What our own distribution holds."""

LEVEL = 1
"""Of compression: half the time of the usual 6, for an eighth more to copy."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
_LEFT_OUT = {"RECORD", "RECORD.jws", "RECORD.p7s", "INSTALLER", "REQUESTED", "direct_url.json"}
"""Files of a .dist-info folder that tell of this installation only."""
_NEED = re.compile(r"\s*([A-Za-z0-9][\w.-]*)\s*(?:\[([^\]]*)\])?")
_EXTRA = re.compile(r"""\bextra\s*==\s*['"]([\w.-]+)['"]""")


class WheelError(Exception):
    """What is missing here to make a wheel."""


def plain(name: str) -> str:
    """A distribution's name as it is compared, and begins a wheel's name."""
    return re.sub(r"[-_.]+", "_", name).lower()


def closure(name: str, extras: Iterable[str] = ()) -> list[Distribution]:
    """A distribution with all it needs, as installed here; what a marker excludes here is not installed.

    Raises WheelError if ``name`` itself is not.
    """
    try:
        found = {plain(name): distribution(name)}
    except PackageNotFoundError:
        raise WheelError(f"{name} is not installed here as a package: pip install it first") from None
    waiting = [(plain(name), frozenset(extras))]
    seen = set(waiting)
    while waiting:
        which, wanted = waiting.pop()
        for need, its_extras in _needs(found[which], wanted):
            try:
                found.setdefault(plain(need), distribution(need))
            except PackageNotFoundError:
                continue
            if (one := (plain(need), its_extras)) not in seen:
                seen.add(one)
                waiting.append(one)
    return list(found.values())


def _needs(of: Distribution, extras: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    for text in of.requires or []:
        need, _, marker = text.partition(";")
        named = _EXTRA.findall(marker)
        if named and not extras & set(named):
            continue
        if found := _NEED.match(need):
            its_extras = (part.strip() for part in (found[2] or "").split(","))
            yield found[1], frozenset(part for part in its_extras if part)


def wheel_name(of: Distribution) -> str:
    """As the specification has it: name, version, and the tags of its WHEEL file, put together."""
    tags = [tag.split("-") for tag in tags_of(of)]
    joined = [".".join(dict.fromkeys(tag[part] for tag in tags)) for part in range(3)]
    return "-".join([plain(of.name), of.version.replace("-", "_"), *joined]) + ".whl"


def tags_of(of: Distribution) -> list[str]:
    """``cp311-cp311-manylinux_2_28_x86_64`` and so on."""
    if plain(of.name) == plain(OURS):
        return ["py3-none-any"]
    told = HeaderParser().parsestr(of.read_text("WHEEL") or "").get_all("Tag")
    if not told:
        raise WheelError(f"{of.name} was not installed from a wheel: install it with pip")
    return [str(tag) for tag in told]


def least_glibc(tags: Iterable[str]) -> tuple[int, int]:
    """The glibc (2, N) that a wheel of these tags needs at least; (0, 0): none."""
    old = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}
    found = []
    for tag in tags:
        platform = tag.split("-")[2]
        if many := re.match(r"manylinux_(\d+)_(\d+)_", platform):
            found.append((int(many[1]), int(many[2])))
        elif platform.split("_")[0] in old:
            found.append(old[platform.split("_")[0]])
    return min(found, default=(0, 0))


def repack(of: Distribution, folder: Path) -> Path:
    """Write the wheel of an installed distribution; its path. Blocks. Raises WheelError, OSError."""
    name = wheel_name(of)
    path = folder / name
    stem = f"{plain(of.name)}-{of.version.replace('-', '_')}"
    record: list[tuple[str, str, str]] = []
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for inside, data, mode in sorted(_files(of, stem)):
            _add(archive, inside, data, mode)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            record.append((inside, f"sha256={digest}", str(len(data))))
        listed = io.StringIO()
        last = (f"{stem}.dist-info/RECORD", "", "")
        csv.writer(listed, lineterminator="\n").writerows([*record, last])
        _add(archive, last[0], listed.getvalue().encode(), 0o644)
    return path


def _add(archive: zipfile.ZipFile, inside: str, data: bytes, mode: int) -> None:
    info = zipfile.ZipInfo(inside, _EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = (0o100000 | mode) << 16
    archive.writestr(info, data, compresslevel=LEVEL)


def _files(of: Distribution, stem: str) -> Iterator[tuple[str, bytes, int]]:
    """Path within the wheel, content and mode of each file. Raises WheelError, OSError."""
    if plain(of.name) == plain(OURS):
        yield from _our_files(of, stem)
        return
    if of.files is None:
        raise WheelError(f"{of.name} has no list of its files: install it with pip")
    commands = {point.name for point in of.entry_points if point.group in ("console_scripts", "gui_scripts")}
    for file in of.files:
        where = PurePosixPath(file)
        if "__pycache__" in where.parts or where.suffix == ".pyc":
            continue
        source = Path(str(of.locate_file(file)))
        inside = str(where)
        if where.parts[0].endswith(".dist-info"):
            if where.name in _LEFT_OUT and len(where.parts) == 2:
                continue
            inside = str(PurePosixPath(f"{stem}.dist-info", *where.parts[1:]))
        elif where.parts[0] == "..":
            # Beside the packages: programs (those of entry points are made anew) and shared data.
            rest = [part for part in where.parts if part != ".."]
            if rest[0] in ("bin", "Scripts"):
                if where.name in commands:
                    continue
                inside = str(PurePosixPath(f"{stem}.data", "scripts", *rest[1:]))
            else:
                inside = str(PurePosixPath(f"{stem}.data", "data", *rest))
        yield inside, source.read_bytes(), source.stat().st_mode & 0o777


def _our_files(of: Distribution, stem: str) -> Iterator[tuple[str, bytes, int]]:
    """Our own packages from where they are imported, installed or in a source tree."""
    for package in PACKAGES:
        found = importlib.util.find_spec(package)
        if found is None or not found.submodule_search_locations:
            raise WheelError(f"{package} is not installed here")
        folder = Path(found.submodule_search_locations[0])
        for path in folder.rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc":
                yield (
                    str(PurePosixPath(package, path.relative_to(folder).as_posix())),
                    path.read_bytes(),
                    0o644,
                )
    for name in ("METADATA", "entry_points.txt"):
        yield f"{stem}.dist-info/{name}", (of.read_text(name) or "").encode(), 0o644
    wheel = "Wheel-Version: 1.0\nGenerator: barista\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    yield f"{stem}.dist-info/WHEEL", wheel.encode(), 0o644
