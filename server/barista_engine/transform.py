"""What a Data layer does to its records: crop, mirror, mean, scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from barista_engine.errors import CheckFailed
from barista_engine.interfaces import Log
from barista_engine.rng import Stream
from barista_server.caffe.errors import WeightsError
from barista_server.caffe.model_file import read_blob_file
from barista_server.caffe.schema import TRAIN, Phase, TransformationParameter

_FILE = "data_transformer.cpp"
Pixels = NDArray[np.uint8] | NDArray[np.float32]


def read_mean(path: str) -> NDArray[np.float32]:
    """The mean image of a .binaryproto, (channels, height, width). CheckFailed if it cannot be read."""
    try:
        image = read_blob_file(path)
    except OSError:
        raise CheckFailed(
            f"Check failed: fd != -1 (-1 vs. -1) File not found: {path}", "io.cpp", 52
        ) from None
    except WeightsError as error:
        message = "Check failed: ReadProtoFromBinaryFile(filename, proto) "
        raise CheckFailed(message, "io.hpp", 78, f"not a mean file: {error}") from None
    if image.ndim < 3 or any(dim != 1 for dim in image.shape[:-3]):
        raise CheckFailed(f"Check failed: mean file {path} has shape {image.shape}", _FILE, 60)
    return image.reshape(image.shape[-3:])


def is_random(param: TransformationParameter, phase: Phase.ValueType) -> bool:
    """Whether records are mirrored or cropped at random."""
    return param.mirror or (phase == TRAIN and param.crop_size > 0)


class Transformer:
    """Turns a batch of records (N, C, H, W) of bytes or floats into float32, as `transform_param` says.

    In the TRAIN phase crops are random, else centred; mirroring is random in both. Mean first, then scale.
    """

    def __init__(
        self, param: TransformationParameter, phase: Phase.ValueType, log: Log, what: str = "datum"
    ) -> None:
        """`what`: how checks call a record, datum or img. CheckFailed for a mean file that cannot be read."""
        self.what = what
        self.where = ""
        """The layer and its source, for what fails."""
        self._crop = param.crop_size
        self._mirror = param.mirror
        self._random_crop = bool(param.crop_size) and phase == TRAIN
        self._scale = np.float32(param.scale)
        self.stream = Stream(0)
        """Decides on crops and mirroring."""
        self._mean_values = np.array(param.mean_value, np.float32).reshape(-1, 1, 1)
        self._mean_image: NDArray[np.float32] | None = None
        if param.HasField("mean_file"):
            if len(param.mean_value):
                message = "Cannot specify mean_file and mean_value at the same time"
                count = f"({len(param.mean_value)} vs. 0)"
                message = f"Check failed: param_.mean_value_size() == 0 {count} {message}"
                raise CheckFailed(message, _FILE, 21)
            log.info("data_transformer.cpp:25", f"Loading mean file from: {param.mean_file}")
            self._mean_image = read_mean(param.mean_file)

    def shape(self, channels: int, height: int, width: int) -> tuple[int, int, int]:
        """Shape of one transformed record. Raises CheckFailed where record and crop do not fit."""
        self._check(channels, height, width)
        return (channels, self._crop or height, self._crop or width)

    def __call__(self, batch: Pixels) -> NDArray[np.float32]:
        """(N, C, H, W) -> (N, C, h, w) float32, a new array."""
        number, channels, height, width = batch.shape
        _, out_height, out_width = self.shape(channels, height, width)
        self._check_mean(channels, height, width)
        out = np.empty((number, channels, out_height, out_width), np.float32)
        if not (self._random_crop or self._mirror):
            self._fill(out, batch, (height - out_height) // 2, (width - out_width) // 2)
            return out
        for record, target in zip(batch, out, strict=True):
            flipped = self._mirror and self.stream.below(2) == 1
            top, left = self._offset(height - out_height, width - out_width)
            self._fill(target[..., ::-1] if flipped else target, record, top, left)
        return out

    def each(self, images: Sequence[Pixels], where: str) -> NDArray[np.float32]:
        """Images (C, H, W) that may differ in size, one by one; CheckFailed unless they come out equal."""
        channels, height, width = self.shape(*images[0].shape)
        advice = f"all records of a batch come out in one shape: crop or resize them, {where}"
        for image in images:
            c, h, w = image.shape
            self._require(channels == c, f"channels == {self.what}_channels", channels, c, advice)
            self._require(height <= h, f"height <= {self.what}_height", height, h, advice)
            self._require(width <= w, f"width <= {self.what}_width", width, w, advice)
            if not self._crop:
                self._require(height == h, f"{self.what}_height == height", h, height, advice)
                self._require(width == w, f"{self.what}_width == width", w, width, advice)
        return np.stack([self(image[None])[0] for image in images])

    def _offset(self, spare_height: int, spare_width: int) -> tuple[int, int]:
        if not self._random_crop:
            return spare_height // 2, spare_width // 2
        return self.stream.below(spare_height + 1), self.stream.below(spare_width + 1)

    def _fill(self, out: NDArray[np.float32], source: NDArray[Any], top: int, left: int) -> None:
        """One pass where there is no mean: the conversion to float is the multiplication."""
        window = np.s_[..., top : top + out.shape[-2], left : left + out.shape[-1]]
        source = source[window]
        if self._mean_image is not None:
            np.subtract(source, self._mean_image[window], out=out)
        elif self._mean_values.size:
            np.subtract(source, self._mean_values, out=out)
        else:
            np.multiply(source, self._scale, out=out)
            return
        if self._scale != 1:
            out *= self._scale

    def _check(self, channels: int, height: int, width: int) -> None:
        what, crop = self.what, self._crop
        self._require(channels > 0, f"{what}_channels > 0", channels, 0)
        self._require(height >= crop, f"{what}_height >= crop_size", height, crop)
        self._require(width >= crop, f"{what}_width >= crop_size", width, crop)

    def _check_mean(self, channels: int, height: int, width: int) -> None:
        what, values, image = self.what, self._mean_values.size, self._mean_image
        if image is not None:
            sizes = zip(("channels", "height", "width"), (channels, height, width), image.shape, strict=True)
            for name, mine, mean in sizes:
                self._require(mine == mean, f"{what}_{name} == data_mean_.{name}()", mine, mean)
        if values not in (0, 1, channels):
            check = f"Check failed: mean_values_.size() == 1 || mean_values_.size() == {what}_channels "
            message = f"{check}Specify either 1 mean_value or as many as channels: {channels}"
            raise CheckFailed(message, _FILE, 66, self.where)

    def _require(self, holds: bool, condition: str, left: int, right: int, advice: str = "") -> None:
        if not holds:
            raise CheckFailed(
                f"Check failed: {condition} ({left} vs. {right}) ", _FILE, 139, advice or self.where
            )
