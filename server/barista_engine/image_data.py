"""Batches of ImageData layers: image files from a list."""

from __future__ import annotations

from pathlib import Path

import torch

from barista_engine.errors import CheckFailed
from barista_engine.images import decode, resize
from barista_engine.interfaces import Log
from barista_engine.prefetch import Batch, Deal, PrefetchSource
from barista_engine.ranks import Order
from barista_engine.rng import Stream
from barista_engine.transform import Pixels, Transformer
from barista_server.caffe.image_list import read_image_list
from barista_server.caffe.schema import LayerParameter, Phase

_FILE = "image_data_layer.cpp"


class ImageSource(PrefetchSource):
    """Images in the order of the list, or in a new random order for every pass over it, transformed."""

    def __init__(
        self, layer: LayerParameter, phase: Phase.ValueType, order: Order, deal: Deal, log: Log
    ) -> None:
        """Raises CheckFailed when the list or its first image cannot be read."""
        super().__init__(layer.name, layer.data_param.prefetch, log)
        self._param = param = layer.image_data_param
        self._where = f"layer {layer.name}, {param.source}"
        if bool(param.new_height) != bool(param.new_width):
            message = "Current implementation requires new_height and new_width to be set at the same time."
            condition = "(new_height == 0 && new_width == 0) || (new_height > 0 && new_width > 0)"
            raise CheckFailed(f"Check failed: {condition} {message}", _FILE, 33, self._where)
        self._log.info(f"{_FILE}:38", f"Opening file {param.source}")
        self._deal = deal
        self._images = read_list(param.source, self._where)
        if param.shuffle:
            self._log.info(f"{_FILE}:53", "Shuffling data")
            self._order = Stream(order.seed)
            self._order.shuffle(self._images)
        self._log.info(f"{_FILE}:63", f"A total of {len(self._images)} images.")
        self._next = 0
        if param.rand_skip:
            self._skip(order.skip)
        self._transformer = Transformer(layer.transform_param, phase, log, "img")
        self._transformer.where = self._where
        first = self._read(self._images[self._next][0])
        if param.batch_size <= 0:
            message = "Check failed: batch_size > 0 (0 vs. 0) Positive batch size required"
            raise CheckFailed(message, _FILE, 83, self._where)
        shape = (param.batch_size, *self._transformer.shape(*first.shape))
        self.shapes = [shape, (param.batch_size,)]
        self._log.info(f"{_FILE}:90", f"output data size: {','.join(map(str, shape))}")

    def seed(self, seed: int) -> None:
        self._transformer.stream = Stream(seed)

    def _skip(self, count: int) -> None:
        self._next = count
        self._log.info(f"{_FILE}:70", f"Skipping first {self._next} data points.")
        if self._next >= len(self._images):
            sizes = f"({len(self._images)} vs. {self._next})"
            message = f"Check failed: lines_.size() > skip {sizes} Not enough points to skip"
            raise CheckFailed(message, _FILE, 71, self._where)

    def _load(self) -> Batch:
        images, labels = [], []
        for _ in range(self._param.batch_size):
            for _ in range(self._deal.others()):
                self._advance()
            name, label = self._images[self._next]
            images.append(self._read(name))
            labels.append(label)
            self._advance()
        data = self._transformer.each(images, self._where)
        return [torch.from_numpy(data), torch.tensor(labels, dtype=torch.float32)]

    def _advance(self) -> None:
        self._next += 1
        if self._next == len(self._images):
            self._next = 0
            if self._param.shuffle:
                self._order.shuffle(self._images)

    def _read(self, name: str) -> Pixels:
        path = self._param.root_folder + name
        try:
            image = decode(Path(path).read_bytes(), bool(self._param.is_color))
        except (OSError, ValueError) as error:
            self._log.error("io.cpp:80", f"Could not open or find file {path}")
            message = f"Check failed: cv_img.data Could not load {name}"
            raise CheckFailed(message, _FILE, 148, f"{error}, {self._where}") from None
        if self._param.new_height:
            return resize(image, self._param.new_height, self._param.new_width)
        return image


def _nothing(detail: str) -> CheckFailed:
    return CheckFailed("Check failed: !lines_.empty() File is empty", _FILE, 49, detail)


def read_list(path: str, where: str) -> list[tuple[str, int]]:
    """(name, label) of each line, parted at its last blank; no number is label 0. Raises CheckFailed."""
    try:
        images = read_image_list(path)
    except OSError as error:
        raise _nothing(f"{error.strerror}, {where}") from None
    if not images:
        raise _nothing(where)
    return images
