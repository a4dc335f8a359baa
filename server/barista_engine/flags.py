"""Command line in gflags syntax: ``--name=value``, ``-name value``, ``--noname``, ``--flagfile=F``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

Value = str | int | bool


class FlagError(ValueError):
    """A command line that cannot be read; the message is gflags' own."""


class UnknownFlag(FlagError):
    """A flag that there is none of."""

    def __init__(self, name: str) -> None:
        super().__init__(f"unknown command line flag '{name}'")
        self.name = name


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag: its name, its default (which gives the type) and a line of help."""

    name: str
    default: Value
    help: str


FLAGS = (
    Flag("gpu", "", "Run in GPU mode on the given device ids, separated by ','; 'all' uses every one."),
    Flag("ranks", 0, "Processes on this machine that train together; 0: one for each GPU given."),
    Flag("solver", "", "The solver definition, a protocol buffer text file."),
    Flag("model", "", "The model definition, a protocol buffer text file."),
    Flag("phase", "", "Network phase, TRAIN or TEST. Only used for 'time'."),
    Flag("level", 0, "Network level."),
    Flag("stage", "", "Network stages, separated by ','."),
    Flag("snapshot", "", "The solver state to resume training from."),
    Flag("weights", "", "Weights to start from, separated by ','. Not together with snapshot."),
    Flag("deploy", "", "Only used for 'compare': the net that is to compute what the model does."),
    Flag("sample", "", "Only used for 'compare': a net of the layers that read the data."),
    Flag("iterations", 50, "The number of iterations to run."),
    Flag("sigint_effect", "stop", "What SIGINT does: snapshot, stop or none."),
    Flag("sighup_effect", "snapshot", "What SIGHUP does: snapshot, stop or none."),
)
GLOG_FLAGS = (  # glog's own; the log goes to stderr only, so those about files change nothing
    Flag("logtostderr", True, "Log to stderr (always so)."),
    Flag("alsologtostderr", True, "Log to stderr (always so)."),
    Flag("colorlogtostderr", False, "Accepted; lines are never coloured."),
    Flag("log_dir", "", "Accepted; no log files are written."),
    Flag("log_prefix", True, "Begin lines with level, time, thread and place."),
    Flag("log_year_in_prefix", True, "Write the year into the prefix."),
    Flag("max_log_size", 1800, "Accepted; no log files are written."),
    Flag("minloglevel", 0, "Drop messages below this level (0 INFO .. 3 FATAL)."),
    Flag("stderrthreshold", 2, "Accepted; every line goes to stderr."),
    Flag("v", 0, "Accepted; there are no verbose lines."),
    Flag("alsologtoemail", "", "Accepted; nothing is mailed."),
    Flag("colorlogtostdout", False, "Accepted; lines are never coloured."),
    Flag("drop_log_memory", True, "Accepted; no log files are written."),
    Flag("log_backtrace_at", "", "Accepted; no line is followed by a trace."),
    Flag("log_link", "", "Accepted; no log files are written."),
    Flag("log_utc_time", False, "Accepted; times are local."),
    Flag("logbuflevel", 0, "Accepted; lines are written at once."),
    Flag("logbufsecs", 30, "Accepted; lines are written at once."),
    Flag("logemaillevel", 999, "Accepted; nothing is mailed."),
    Flag("logfile_mode", 0o664, "Accepted; no log files are written."),
    Flag("logmailer", "", "Accepted; nothing is mailed."),
    Flag("logtostdout", False, "Accepted; the log goes to stderr."),
    Flag("stop_logging_if_full_disk", False, "Accepted; no log files are written."),
    Flag("symbolize_stacktrace", True, "Accepted; a trace has names."),
    Flag("timestamp_in_logfile_name", True, "Accepted; no log files are written."),
    Flag("vmodule", "", "Accepted; there are no verbose lines."),
)
BASE_FLAGS = (
    Flag("help", False, "Show help."),
    Flag("version", False, "Show the version."),
    Flag("fromenv", "", "Take these flags, separated by ',', from variables FLAGS_<name>."),
    Flag("tryfromenv", "", "As fromenv; those without a variable keep their value."),
    Flag("undefok", "", "Names of flags that may be given though they are unknown."),
)
_TRUE, _FALSE = {"1", "t", "true", "y", "yes"}, {"0", "f", "false", "n", "no"}


def parse(
    argv: Iterable[str], environ_flags: dict[str, Value] | None = None
) -> tuple[dict[str, Value], list[str]]:
    """Flag values by name (defaults filled in, `environ_flags` over them) and the words that are no flags.

    Raises FlagError for an unknown flag, a missing or a wrong value, an unreadable flagfile.
    """
    known = {flag.name: flag for flag in FLAGS + GLOG_FLAGS + BASE_FLAGS}
    values = {name: flag.default for name, flag in known.items()} | (environ_flags or {})
    words: list[str] = []
    unknown: list[UnknownFlag] = []
    rest = iter(argv)
    for word in rest:
        if word == "--":
            words.extend(rest)
        elif not word.startswith("-") or word == "-":
            words.append(word)
        else:
            try:
                _set(known, values, word, rest)
            except UnknownFlag as error:
                unknown.append(error)
    excused = str(values["undefok"]).split(",")
    refused = [error for error in unknown if error.name not in excused]
    if refused:
        raise refused[0]
    return values, words


def from_environment(environ: os._Environ[str] | dict[str, str]) -> dict[str, Value]:
    """glog's flags as set by GLOG_<name>; values that do not fit are left out, as glog does."""
    found: dict[str, Value] = {}
    for flag in GLOG_FLAGS:
        try:
            found[flag.name] = _value(flag, environ[f"GLOG_{flag.name}"])
        except (KeyError, FlagError):
            pass
    return found


def usage(program: str) -> str:
    """The text shown without a command and for --help."""
    lines = [
        f"{program}: command line brew",
        "usage: caffe <command> <args>",
        "",
        "commands:",
        "  train           train or finetune a model",
        "  test            score a model",
        "  device_query    show GPU diagnostic information",
        "  time            benchmark model execution time",
        "  compare         whether a net made for use computes what the trained one does",
        "",
        "  Flags:",
    ]
    for flag in sorted(FLAGS, key=lambda flag: flag.name):
        kind = {str: "string", int: "int32", bool: "bool"}[type(flag.default)]
        shown = f'"{flag.default}"' if kind == "string" else str(flag.default)
        lines += [f"    -{flag.name} ({flag.help})", f"      type: {kind} default: {shown}"]
    return "\n".join(lines) + "\n"


def _set(known: dict[str, Flag], values: dict[str, Value], word: str, rest: Iterator[str]) -> None:
    name, equals, text = word.removeprefix("-").removeprefix("-").partition("=")
    if name == "flagfile":
        _flagfile(known, values, text if equals else next(rest, ""))
        return
    if name not in known and name.startswith("no") and name[2:] in known and not equals:
        default = known[name[2:]].default
        if not isinstance(default, bool):
            kind = "string" if isinstance(default, str) else "int32"
            raise FlagError(f"boolean value ({name}) specified for {kind} command line flag")
        values[name[2:]] = False
        return
    if name not in known:
        raise UnknownFlag(name)
    flag = known[name]
    if not equals:
        if isinstance(flag.default, bool):
            values[name] = True
            return
        following = next(rest, None)
        if following is None:
            raise FlagError(f"flag '{word}' is missing its argument; flag description: {flag.help}")
        text = following
    values[name] = _value(flag, text)
    if name in ("fromenv", "tryfromenv"):
        _from_variables(known, values, text, must=name == "fromenv")


def _from_variables(known: dict[str, Flag], values: dict[str, Value], names: str, *, must: bool) -> None:
    """Take the flags of a list from variables FLAGS_<name> of the environment."""
    for name in filter(None, names.split(",")):
        if name not in known:
            raise UnknownFlag(name)
        if f"FLAGS_{name}" in os.environ:
            values[name] = _value(known[name], os.environ[f"FLAGS_{name}"])
        elif must:
            raise FlagError(f"FLAGS_{name} not found in environment")


def _value(flag: Flag, text: str) -> Value:
    value = _CONVERT[type(flag.default)](text)
    if value is None:
        kind = "bool" if isinstance(flag.default, bool) else "int32"
        raise FlagError(f"illegal value '{text}' specified for {kind} flag '{flag.name}'")
    return value


def _bool(text: str) -> bool | None:
    return text.lower() in _TRUE if text.lower() in _TRUE | _FALSE else None


def _int(text: str) -> int | None:
    try:
        value = int(text, 0)
    except ValueError:
        return None
    return value if -(2**31) <= value < 2**31 else None


_CONVERT: dict[type, Callable[[str], Value | None]] = {bool: _bool, int: _int, str: str}


def _flagfile(known: dict[str, Flag], values: dict[str, Value], path: str) -> None:
    """Flags from a file, one a line with or without its value after '='; '#' begins a comment."""
    try:
        lines = Path(path).read_text().splitlines()
    except OSError as error:
        raise FlagError(f"cannot read flagfile '{path}': {error.strerror}") from None
    for line in lines:
        word = line.lstrip()
        if word.startswith("-"):
            try:
                _set(known, values, word, iter(()))
            except UnknownFlag:  # a file may serve several programs
                pass
