"""The year of a log's first stamp, for the prefixes of glog before 0.5, which have none."""

from __future__ import annotations

import re
import time

_HEADER = re.compile(rb"^Log file created at: (\d{4})/", re.MULTILINE)
_FILE_NAME = re.compile(r"\.(\d{4})(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])-\d{6}\.\d+")
"""``PROG.HOST.USER.log.SEVERITY.YYYYMMDD-HHMMSS.PID``, as glog names its files."""
_ABORTED = re.compile(rb"\*\*\* Aborted at (\d{9,10}) \(unix time\)")
_STAMP = re.compile(rb"(?<![0-9A-Za-z])[IWEF](\d{4}) \d\d:\d\d:\d\d\.\d{6} ")

_DAY = 86_400.0
_YEAR = 365.25 * _DAY


def first_year(name: str, head: bytes, tail: bytes, mtime: float) -> int:
    """By the file's header, its name, the epoch a crash printed, else the time it was written last.

    ``head``, ``tail``: its first and last bytes, some tens of kB. A log of more than a year comes out too
    late: see :func:`years_too_late`.
    """
    if header := _HEADER.search(head):
        return int(header[1])
    if named := _FILE_NAME.search(name):
        return int(named[1])
    aborted = _ABORTED.findall(tail)
    # Clock and time zone of the host that wrote it may be ahead of ours by a day.
    end = time.localtime((float(aborted[-1]) if aborted else mtime) + _DAY)
    stamps = _STAMP.findall(head) + _STAMP.findall(tail)
    if not stamps:
        return end.tm_year
    first, last = int(stamps[0]), int(stamps[-1])
    year = end.tm_year - (last > end.tm_mon * 100 + end.tm_mday)
    return year - (first > last)


def years_too_late(end: float, mtime: float) -> int:
    """Years by which a log that ends at ``end`` (seconds since the epoch) is after its file's last write."""
    return max(0, int((end - mtime - 2 * _DAY) // _YEAR) + 1) if end > mtime + 2 * _DAY else 0
