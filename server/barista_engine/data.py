"""Sources of batches, opened for the data layers of a net."""

from __future__ import annotations

from barista_engine.glog import Glog
from barista_engine.hdf5_data import Hdf5Source
from barista_engine.image_data import ImageSource
from barista_engine.prefetch import Source
from barista_engine.records import RecordSource
from barista_engine.rng import LibraryRandom, Stream
from barista_engine.transform import is_random
from barista_engine.window_data import WindowSource
from barista_server.caffe.schema import LayerParameter, Phase


class DataSources:
    """Opens the sources of data layers, called by a net while it creates them, and closes them at the end.

    A source has random numbers of its own, seeded by the net's stream as Caffe does: by its place among all
    that draws from it.
    """

    def __init__(self, log: Glog, stream: Stream) -> None:
        self._log = log
        self._stream = stream
        self._library = LibraryRandom()
        self._open: list[Source] = []
        self._hdf5_seen = False

    def __call__(self, layer: LayerParameter, phase: int, tops: int) -> Source:
        """The source of a data layer of `tops` tops. CheckFailed when it cannot be read."""
        if layer.type == "HDF5Data":
            source: Source = Hdf5Source(layer, tops, self._library, first=not self._hdf5_seen)
            self._hdf5_seen = True
        else:
            source = self._prefetched(layer, Phase.ValueType(phase), tops)
        self._open.append(source)
        return source

    def _prefetched(self, layer: LayerParameter, phase: Phase.ValueType, tops: int) -> Source:
        stream, random = self._stream, is_random(layer.transform_param, phase)
        if random:
            stream.word()  # Caffe seeds the transformer twice
        source: RecordSource | ImageSource | WindowSource
        if layer.type == "ImageData":
            source = ImageSource(layer, phase, stream, self._log)
        elif layer.type == "WindowData":
            source = WindowSource(layer, stream, self._log)
        else:
            source = RecordSource(layer, phase, tops, self._log)
        if random:
            source.seed(stream.word())
        stream.word()  # the seed of the reading thread, which draws nothing
        return source

    def close(self) -> None:
        """End the prefetch threads."""
        for source in self._open:
            source.close()
