"""What stands before the message of a line: the prefix of glog and its relatives, and what launchers add."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import NamedTuple

from .clock import TIME_ONLY

WITHIN = 64
"""The stamp is looked for in so many first bytes: mpirun, mail quotes and torn prints stand before it."""
WRAPPER = re.compile(
    rb"(?:\x1b\[[\d;]{0,9}m)*(?:> )*"
    # containers, Kubernetes, time stampers
    rb"(?:\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)? (?:std(?:out|err) [FP] )?)?"
    # the journal of systemd
    rb"(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d (?:[\w.-]{1,64} [\w.-]{1,64}\[\d{1,9}\]: )?)?"
    # mpirun -l, mpirun --tag-output, srun -l
    rb"(?:\[(?:\d{1,4},)?(\d{1,5})\](?: |<std(?:out|err)>:)| {0,8}(\d{1,5}): )?"
)
"""What others put before every line, also those without a prefix of caffe's. Groups: rank of the process."""
_GLOG = re.compile(
    rb"([IWEF]?)(\d{8}|\d{4}) (\d\d):(\d\d):(\d\d)\.(\d{6}) (?: *(\d{1,18}) )?[^\]]*\] ?",
)
_CLOCK = re.compile(rb"\d{4} \d\d:\d\d:\d\d\.\d{6} ")
_EPOCH = re.compile(rb"(\d{9,10}) +(INFO|WARNING|ERROR|FATAL): [^:]* : line \d+ : ")
_SPDLOG = re.compile(rb"(INFO|WARNING|ERROR|FATAL) - (\d\d):(\d\d):(\d\d) - ")

TORN = re.compile(rb"[IWEF](?:\d{8}|\d{4}) \d\d:\d\d:\d\d\.\d{6} +\d{1,20} [\w.\-]{1,100}:\d{1,6}\] ")
"""A prefix so complete that it begins a message wherever in a line it stands."""


class Prefix(NamedTuple):
    level: bytes | None
    """None where a line has no prefix."""
    date: int
    """yyyymmdd, mmdd, TIME_ONLY, or 0 without a stamp."""
    microsecond: int
    """Of the day."""
    begin: int
    """Where the message begins."""
    thread: int = -1
    """Its number, where that was printed."""


def rank_of(wrapper: bytes) -> int:
    """Process that a launcher names at the start of ``wrapper``, -1 where there is none."""
    found = WRAPPER.match(wrapper)
    rank = found and (found[1] or found[2])
    return int(rank) if rank else -1


def read_prefix(line: bytes) -> Prefix:
    """The prefix of a line, if it has one."""
    begin = find_stamp(line) if b"]" in line else -1
    if begin >= 0:
        found = _GLOG.match(line, begin)
        assert found
        level, day, hour, minute, second, fraction, thread = found.groups()
        time = (int(hour) * 3600 + int(minute) * 60 + int(second)) * 1_000_000 + int(fraction)
        return Prefix(level or b"I", int(day), time, found.end(), int(thread or -1))
    start = WRAPPER.match(line).end()  # type: ignore[union-attr]
    if found := _EPOCH.match(line, start) or _EPOCH.match(line):
        moment = datetime.fromtimestamp(int(found[1]), UTC)
        day = moment.year * 10000 + moment.month * 100 + moment.day
        return Prefix(found[2][:1], day, int(found[1]) % 86400 * 1_000_000, found.end())
    if found := _SPDLOG.match(line, start):
        time = int(found[2]) * 3600 + int(found[3]) * 60 + int(found[4])
        return Prefix(found[1][:1], TIME_ONLY, time * 1_000_000, found.end())
    return Prefix(None, 0, 0, start)


def find_stamp(line: bytes) -> int:
    """Where glog's prefix begins, -1 where there is none: the first stamp, and not inside a word."""
    for clock in _CLOCK.finditer(line, 0, WITHIN + 40):
        for digits in (8, 4):
            day = clock.start() + 4 - digits
            if day < 0 or not line[day : day + digits].isdigit():
                continue
            begin = day - (line[day - 1 : day] in (b"I", b"W", b"E", b"F"))
            if begin >= WITHIN or not (begin < day or day == 0 or not line[day - 1 : day].isalnum()):
                continue
            if _GLOG.match(line, begin):
                return begin
    return -1
