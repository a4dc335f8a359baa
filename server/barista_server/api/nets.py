"""What a net looks like once built, and what training it takes: parts of :class:`NetReport`.

Sizes are bytes.
"""

from __future__ import annotations

from typing import Literal

from barista_server.api.things import Message


class NetBlob(Message, frozen=True):
    """A top of a layer. ``shape`` is None where it is not known (data that is not there, layers of forks)."""

    name: str
    shape: list[int] | None = None


class NetLayer(Message, frozen=True):
    """One layer as Caffe builds it."""

    name: str
    type: str
    index: int | None = None
    """Number of the layer in the net's file, None for a Split that Caffe puts in."""
    line: int | None = None
    """1-based, in the net's file."""
    bottoms: list[str] = []
    tops: list[NetBlob] = []
    params: list[list[int]] = []
    """Shapes of its parameters, shared ones too."""
    parameters: int = 0
    """Values it owns: those it shares with an earlier layer are not counted."""
    data_size: int = 0
    """As in Caffe's "Memory required for data"."""
    memory: int = 0
    """Estimate of what the layer adds: values and gradients not shared with others, and its workspace."""


class NetView(Message, frozen=True):
    """A net in one phase."""

    title: str
    """``train net``, ``test net #0``."""
    phase: Literal["train", "test"]
    name: str = ""
    file: str | None = None
    """None for a net that is written inside the solver's file."""
    stages: list[str] = []
    level: int = 0
    layers: list[NetLayer] = []
    complete: bool = False
    """Every shape is known."""
    parameters: int = 0
    data_size: int = 0
    memory: int = 0


class TrainingNeed(Message, frozen=True):
    """An estimate of what a training takes on one device, less the program itself and cuDNN's workspaces."""

    device: str
    """``cpu``, or the number of a GPU."""
    solver_type: str
    weights: int
    gradients: int
    """Of the weights."""
    history: int
    """What the solver keeps of each weight."""
    train: int
    """Blobs and workspaces of the train net."""
    tests: int
    """The same of all test nets, which live beside it."""
    total: int
    snapshot: int
    """What writing a snapshot takes for a moment, always in main memory."""
    batch: int | None = None
    """Of the train net's first data layer."""
    free: int | None = None
    """Memory free on the device now."""
    largest: int | None = None
    """The largest batch that fits into it; 0: none does; None: not known, or the net allows no other."""
