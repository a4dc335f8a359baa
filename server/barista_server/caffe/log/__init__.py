"""Incremental parser of Caffe logs: metrics, events, runs and a line index from bytes, without any I/O.

parser = LogParser()
parser.feed(data)                          # any pieces of the log, in order
parser.series[LOSS].value                  # float64; also .iteration .seconds .line
parser.life, parser.iteration, parser.runs[-1].max_iter
parser.index.select([LineKind.ERROR], 0, 50)
"""

from barista_server.api.text import clean

from .columns import LEARNING_RATE, LOSS, Series, SeriesKey, Tests
from .index import STRIDE, LineIndex, LineKind, Span
from .parser import LogParser
from .runs import Ending, Event, EventKind, Life, Run

__all__ = [
    "LEARNING_RATE",
    "LOSS",
    "STRIDE",
    "Ending",
    "Event",
    "EventKind",
    "Life",
    "LineIndex",
    "LineKind",
    "LogParser",
    "Run",
    "Series",
    "SeriesKey",
    "Span",
    "Tests",
    "clean",
]
