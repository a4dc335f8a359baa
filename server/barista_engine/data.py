"""Sources of batches, opened for the data layers of a net."""

from __future__ import annotations

from barista_engine.hdf5_data import Hdf5Source
from barista_engine.image_data import ImageSource
from barista_engine.interfaces import Log
from barista_engine.prefetch import Deal, Source
from barista_engine.ranks import Order, Ranks
from barista_engine.records import RecordSource
from barista_engine.rng import LibraryRandom, Stream
from barista_engine.transform import is_random
from barista_engine.window_data import WindowSource
from barista_server.caffe.schema import TRAIN, LayerParameter, Phase


class DataSources:
    """Opens the sources of data layers, called by a net while it creates them, and closes them at the end.

    A source has random numbers of its own, seeded by the net's stream as Caffe does: by its place among all
    that draws from it. In the TRAIN phase records are dealt among `ranks`, which all walk through them in the
    same order.
    """

    def __init__(self, log: Log, stream: Stream, ranks: Ranks | None = None) -> None:
        self._log = log
        self._ranks = ranks or Ranks()
        self._lists = 0
        if self._ranks.rank == 0:
            self._ranks.orders.clear()
        self._stream = stream
        self._library = LibraryRandom()
        self._open: list[Source] = []
        self._hdf5_classes: set[str] = set()

    def __call__(self, layer: LayerParameter, phase: int, tops: int) -> Source:
        """The source of a data layer of `tops` tops. CheckFailed when it cannot be read."""
        if layer.type == "HDF5Data":
            deal = self._deal(phase)
            random = self._library if deal.count == 1 else LibraryRandom()  # test nets draw on the root only
            source: Source = Hdf5Source(layer, tops, random, deal, self._log, self._hdf5_classes)
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
            order = self._order(layer, phase)
            source = ImageSource(layer, phase, order, self._deal(phase), self._log)
        elif layer.type == "WindowData":
            source = WindowSource(layer, stream, self._log)
        else:
            source = RecordSource(layer, phase, tops, self._deal(phase), self._log)
        if random:
            source.seed(stream.word())
        stream.word()  # the seed of the reading thread, which draws nothing
        return source

    def _deal(self, phase: int) -> Deal:
        """Test nets are the root's alone."""
        return Deal(self._ranks.rank, self._ranks.count) if phase == TRAIN else Deal()

    def _order(self, layer: LayerParameter, phase: int) -> Order:
        """How to walk through a list of images: as this rank has drawn it, or as the root has."""
        param = layer.image_data_param
        seed = self._stream.word() if param.shuffle else 0
        drawn = Order(seed, self._stream.below(param.rand_skip) if param.rand_skip else 0)
        if phase != TRAIN:
            return drawn
        if self._ranks.rank == 0:
            self._ranks.orders.append(drawn)
        self._lists += 1
        return self._ranks.orders[self._lists - 1]

    def close(self) -> None:
        """End the prefetch threads."""
        for source in self._open:
            source.close()
