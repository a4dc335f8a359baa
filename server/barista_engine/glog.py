"""Log lines as glog 0.5 and later writes them, so that every reader of Caffe logs understands them."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

_LEVELS = {"I": 0, "W": 1, "E": 2, "F": 3}
_FALSE = {"0", "false", "f", "no", "n"}


def number(value: float) -> str:
    """A number as a C++ stream prints it, in six digits: ``1.23457e+06``, ``1e-07``, ``nan``."""
    if math.isnan(value):
        return "-nan" if math.copysign(1.0, value) < 0 else "nan"
    return f"{value:g}"


@dataclass(frozen=True, slots=True)
class Glog:
    """Writes ``Iyyyymmdd hh:mm:ss.uuuuuu TID file:line] message`` to a descriptor, one write() a message.

    Lines below `min_level` (0 I, 1 W, 2 E, 3 F) are dropped; `year` and `prefix` are glog's switches.
    Safe from several threads: a message goes out in one system call.
    """

    fd: int = 2
    min_level: int = 0
    year: bool = True
    prefix: bool = True

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], *, fd: int = 2) -> Glog:
        """Honours GLOG_minloglevel, GLOG_log_year_in_prefix and GLOG_log_prefix."""
        level = environ.get("GLOG_minloglevel", "")
        return cls(
            fd=fd,
            min_level=int(level) if level.isdecimal() else 0,
            year=environ.get("GLOG_log_year_in_prefix", "1").lower() not in _FALSE,
            prefix=environ.get("GLOG_log_prefix", "1").lower() not in _FALSE,
        )

    def info(self, source: str, message: str) -> None:
        """Log at INFO; `source` is ``file.cpp:line``."""
        self._log("I", source, message)

    def warning(self, source: str, message: str) -> None:
        """Log at WARNING."""
        self._log("W", source, message)

    def error(self, source: str, message: str) -> None:
        """Log at ERROR."""
        self._log("E", source, message)

    def fatal(self, source: str, message: str) -> None:
        """Log at FATAL. Unlike glog's macro it returns: ending the process is the caller's business."""
        self._log("F", source, message)

    def raw(self, text: str) -> None:
        """Write `text` as it is, whole, without a prefix."""
        data = text.encode("utf-8", "surrogateescape")
        while data:
            data = data[os.write(self.fd, data) :]

    def _log(self, level: str, source: str, message: str) -> None:
        if _LEVELS[level] < self.min_level and level != "F":
            return
        end = "" if message.endswith("\n") else "\n"
        self.raw(f"{self._stamp(level, source) if self.prefix else ''}{message}{end}")

    def _stamp(self, level: str, source: str) -> str:
        seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
        day = time.strftime("%Y%m%d %H:%M:%S" if self.year else "%m%d %H:%M:%S", time.localtime(seconds))
        return f"{level}{day}.{nanoseconds // 1000:06d} {threading.get_native_id():5d} {source}] "
