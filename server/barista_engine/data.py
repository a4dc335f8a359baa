"""Sources of batches, opened for the data layers of a net."""

from __future__ import annotations

import numpy as np

from barista_engine.glog import Glog
from barista_engine.hdf5_data import Hdf5Source
from barista_engine.image_data import ImageSource
from barista_engine.prefetch import Source
from barista_engine.records import RecordSource
from barista_engine.window_data import WindowSource
from barista_server.caffe.schema import LayerParameter, Phase


class DataSources:
    """Opens the sources of data layers, called by a net while it creates them, and closes them at the end.

    Every source gets its own random stream, from `seed` and the order of opening.
    """

    def __init__(self, log: Glog, seed: int) -> None:
        self._log = log
        self._seeds = np.random.SeedSequence(seed % 2**63)
        self._open: list[Source] = []
        self._hdf5_seen = False

    def __call__(self, layer: LayerParameter, phase: int, tops: int) -> Source:
        """The source of a data layer of `tops` tops. CheckFailed when it cannot be read."""
        seed = int(self._seeds.spawn(1)[0].generate_state(1)[0])
        which = Phase.ValueType(phase)
        source: Source
        if layer.type == "HDF5Data":
            source = Hdf5Source(layer, tops, seed, first=not self._hdf5_seen)
            self._hdf5_seen = True
        elif layer.type == "ImageData":
            source = ImageSource(layer, which, seed, self._log)
        elif layer.type == "WindowData":
            source = WindowSource(layer, seed, self._log)
        else:
            source = RecordSource(layer, which, tops, seed, self._log)
        self._open.append(source)
        return source

    def close(self) -> None:
        """End the prefetch threads."""
        for source in self._open:
            source.close()
