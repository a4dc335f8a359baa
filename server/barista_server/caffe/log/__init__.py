"""Incremental parser of Caffe logs: metrics, events, runs and a line index from bytes, without any I/O.

parser = LogParser()
parser.feed(data)                          # any pieces of the log, in order
parser.series[LOSS].value                  # float64; also .iteration .seconds .line
parser.life, parser.iteration, parser.runs[-1].max_iter
parser.index.select([LineKind.ERROR], 0, 50)
parser.runs[-1].reason                     # why it failed, taken apart
find_text(log, parser.dumps[0])            # the solver or a net as echoed
"""

from barista_server.api.text import clean

from .columns import LEARNING_RATE, LOSS, PASS_TIME, Series, SeriesKey, Tests
from .dumps import Dump, find_text
from .index import STRIDE, LineIndex, LineKind, Span
from .parser import LogParser
from .reason_table import Kind
from .reasons import Reason, decode
from .results import Results
from .runs import Ending, Event, EventKind, Life, Run

__all__ = [
    "LEARNING_RATE",
    "LOSS",
    "PASS_TIME",
    "STRIDE",
    "Dump",
    "Ending",
    "Event",
    "EventKind",
    "Kind",
    "Life",
    "LineIndex",
    "LineKind",
    "LogParser",
    "Reason",
    "Results",
    "Run",
    "Series",
    "SeriesKey",
    "Span",
    "Tests",
    "clean",
    "decode",
    "find_text",
]
