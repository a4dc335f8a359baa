"""Batches of WindowData layers: windows of images, as R-CNN samples objects and background."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from barista_engine.errors import CheckFailed
from barista_engine.glog import number
from barista_engine.images import Pixels, decode, resize
from barista_engine.interfaces import Log
from barista_engine.prefetch import Batch, PrefetchSource
from barista_engine.rng import Stream
from barista_engine.transform import read_mean
from barista_server.caffe.schema import LayerParameter

_FILE = "window_data_layer.cpp"


@dataclass(frozen=True, slots=True)
class Window:
    """A window of an image, corners included, and its class, 0 for background."""

    image: int
    label: int
    x1: int
    y1: int
    x2: int
    y2: int


@dataclass(frozen=True, slots=True)
class Placed:
    """What to take from an image, (x1, y1, x2, y2) with corners included, and where it goes in the crop."""

    box: tuple[int, int, int, int]
    height: int
    width: int
    top: int
    left: int


class WindowSource(PrefetchSource):
    """Random windows: first those of background, then `fg_fraction` of objects, warped to crop_size."""

    def __init__(self, layer: LayerParameter, stream: Stream, log: Log) -> None:
        """Raises CheckFailed when the window file cannot be read or the settings do not fit."""
        super().__init__(layer.name, layer.data_param.prefetch, log)
        self._param = param = layer.window_data_param
        self._where = f"layer {layer.name}, {param.source}"
        self._random = Stream(stream.word())
        self._crop, self._mirror = layer.transform_param.crop_size, layer.transform_param.mirror
        self._files: dict[str, bytes] = {}
        self._images: list[str] = []
        self._objects: list[Window] = []
        self._background: list[Window] = []
        self._say(
            53,
            "Window data layer:\n"
            f"  foreground (object) overlap threshold: {number(param.fg_threshold)}\n"
            f"  background (non-object) overlap threshold: {number(param.bg_threshold)}\n"
            f"  foreground sampling fraction: {number(param.fg_fraction)}\n"
            f"  cache_images: {int(param.cache_images)}\n"
            f"  root_folder: {param.root_folder}",
        )
        channels = self._read_windows()
        self._say(165, f"Amount of context padding: {param.context_pad}")
        self._say(168, f"Crop mode: {param.crop_mode}")
        if channels < 1 or self._crop <= 2 * param.context_pad:
            sizes = f"crop_size {self._crop} > twice context_pad {param.context_pad}"
            raise self._failed(f"{channels} channels > 0, {sizes}", 168)
        if param.batch_size <= 0 or not self._objects or not self._background:
            raise self._failed(
                f"crop_size {self._crop} > 0, batch_size {param.batch_size} > 0, "
                f"{len(self._objects)} windows of objects > 0, {len(self._background)} of background > 0",
                173,
            )
        shape = (param.batch_size, channels, self._crop, self._crop)
        self.shapes = [shape, (param.batch_size,)]
        self._say(180, f"output data size: {','.join(map(str, shape))}")
        self._mean = self._read_mean(layer, channels)

    def _say(self, line: int, message: str) -> None:
        self._log.info(f"{_FILE}:{line}", message)

    def _failed(self, message: str, line: int) -> CheckFailed:
        return CheckFailed(f"Check failed: {message}", _FILE, line, self._where)

    def _read_windows(self) -> int:
        """Sort the windows of the file into objects and background; the images' number of channels."""
        try:
            words = iter(Path(self._param.source).read_text("utf-8", "surrogateescape").split())
        except OSError as error:
            message = f"infile.good() Failed to open window file {self._param.source}\n"
            raise CheckFailed(
                f"Check failed: {message}", _FILE, 79, f"{error.strerror}, {self._where}"
            ) from None
        labels: Counter[int] = Counter({0: 0})
        channels = 0
        try:
            while (hashtag := next(words, "")) == "#":
                index, path = _whole(next(words)), self._param.root_folder + next(words)
                channels, height, width, count = (_whole(next(words)) for _ in range(4))
                self._images.append(path)
                for _ in range(count):
                    self._add(index, words, labels)
                if index % 100 == 0:
                    shape = f"{channels} {height} {width}"
                    self._say(148, f"num: {index} {path} {shape} windows to process: {count}")
        except (ValueError, StopIteration, RuntimeError):
            raise self._failed(f"the window file breaks off in image {len(self._images)}", 115) from None
        if hashtag or not self._images:
            raise self._failed(f"hashtag == # ({hashtag} vs. #) Window file is empty or damaged", 91)
        self._say(157, f"Number of images: {len(self._images)}")
        for label, samples in sorted(labels.items()):
            self._say(161, f"class {label} has {samples} samples")
        return channels

    def _add(self, image: int, words: Iterator[str], labels: Counter[int]) -> None:
        label, overlap = _whole(next(words)), float(next(words))
        corners = [_whole(next(words)) for _ in range(4)]
        if overlap >= self._param.fg_threshold:
            if label <= 0:
                raise self._failed(f"label > 0 ({label} vs. 0) of a window of image {image}", 134)
            self._objects.append(Window(image, label, *corners))
            labels[label] += 1
        elif overlap < self._param.bg_threshold:
            self._background.append(Window(image, 0, *corners))
            labels[0] += 1

    def _read_mean(self, layer: LayerParameter, channels: int) -> NDArray[np.float32]:
        """What to subtract from the whole crop, (channels or 1, crop or 1, crop or 1)."""
        param = layer.transform_param
        values = np.array(param.mean_value, np.float32).reshape(-1, 1, 1)
        if not param.HasField("mean_file"):
            if len(values) not in (0, 1, channels):
                message = f"Specify either 1 mean_value or as many as channels: {channels}"
                raise self._failed(message, 207)
            return values if len(values) else np.zeros((1, 1, 1), np.float32)
        if len(values):
            raise self._failed("Cannot specify mean_file and mean_value at the same time", 202)
        self._say(196, f"Loading mean file from: {param.mean_file}")
        mean = read_mean(param.mean_file)
        begin = (mean.shape[2] - self._crop) // 2
        if mean.shape[0] != channels or begin < 0 or mean.shape[1] < begin + self._crop:
            raise self._failed(f"the mean file's shape {mean.shape} holds the crop {self._crop}", 199)
        return mean[:, begin : begin + self._crop, begin : begin + self._crop]

    def _load(self) -> Batch:
        size = self._param.batch_size
        objects = int(np.float32(size) * np.float32(self._param.fg_fraction))
        data = np.zeros(self.shapes[0], np.float32)
        labels = np.zeros(size, np.float32)
        for item in range(size):
            windows = self._background if item < size - objects else self._objects
            window = windows[self._random.below(len(windows))]
            self._warp(window, self._mirror and self._random.below(2) == 1, data[item])
            labels[item] = window.label
        return [torch.from_numpy(data), torch.from_numpy(labels)]

    def _warp(self, window: Window, mirror: bool, out: NDArray[np.float32]) -> None:
        if not 0 <= window.image < len(self._images):
            raise self._failed(f"image {window.image} is one of {len(self._images)}", 289)
        image = self._image(self._images[window.image])
        size = image.shape[1], image.shape[2]
        corners = (window.x1, window.y1, window.x2, window.y2)
        pad, square = self._param.context_pad, self._param.crop_mode == "square"
        if window.x2 < window.x1 or window.y2 < window.y1:
            raise self._failed(f"window {corners} of {self._images[window.image]} is empty", 349)
        placed = place(corners, size, self._crop, pad, square, mirror)
        x1, y1, x2, y2 = placed.box
        if not (0 <= x1 <= x2 < size[1] and 0 <= y1 <= y2 < size[0]) or image.shape[0] != out.shape[0]:
            raise self._failed(f"window {corners} lies in {self._images[window.image]} {image.shape}", 349)
        if min(placed.height, placed.width) < 1:
            return  # so little of it lies in the image that none is left after warping
        cut = resize(image[:, y1 : y2 + 1, x1 : x2 + 1], placed.height, placed.width)
        if mirror:
            cut = cut[..., ::-1]
        where = np.s_[:, placed.top : placed.top + placed.height, placed.left : placed.left + placed.width]
        mean = np.broadcast_to(self._mean, out.shape)
        out[where] = (cut - mean[where]) * np.float32(self._param.scale)

    def _image(self, path: str) -> Pixels:
        try:
            data = self._files.get(path) or Path(path).read_bytes()
            if self._param.cache_images:
                self._files[path] = data
            return decode(data, True)
        except (OSError, ValueError) as error:
            raise self._failed(f"Could not open or find file {path}: {error}", 295) from None


def _whole(word: str) -> int:
    """A number of 32 bits; what comes after a point is cut off. Raises ValueError."""
    value = float(word)
    if not -(2**31) <= value < 2**31:
        raise ValueError(word)
    return int(value)


def place(
    corners: tuple[int, int, int, int],
    image: tuple[int, int],
    crop: int,
    pad: int,
    square: bool,
    mirror: bool,
) -> Placed:
    """Where a window of an image of (height, width) goes in a crop.

    With context, what lies around the window is taken too, `pad` wide after warping; where that is beyond
    the image, the crop keeps its zeros.
    """
    if not (pad > 0 or square):
        return Placed(corners, crop, crop, 0, 0)
    x1, y1, x2, y2 = corners
    scale = crop / (crop - 2 * pad)
    half_height, half_width = (y2 - y1 + 1) / 2, (x2 - x1 + 1) / 2
    x, y = x1 + half_width, y1 + half_height
    if square:
        half_height = half_width = max(half_height, half_width)
    x1, x2, left, right, width = _stretch(x, half_width * scale, image[1], crop)
    y1, y2, top, _, height = _stretch(y, half_height * scale, image[0], crop)
    left = right if mirror else left
    return Placed((x1, y1, x2, y2), min(height, crop - top), min(width, crop - left), top, left)


def _stretch(centre: float, half: float, size: int, crop: int) -> tuple[int, int, int, int, int]:
    """Along one axis: first and last pixel inside the image, zeros before and behind, warped length."""
    first, last = _round(centre - half), _round(centre + half)
    before, behind = max(0, -first), max(0, last - size + 1)
    scale = crop / (last - first + 1)
    first, last = first + before, last - behind
    return first, last, _round(before * scale), _round(behind * scale), _round((last - first + 1) * scale)


def _round(x: float) -> int:
    """Halves away from zero, as C does."""
    return int(math.copysign(math.floor(abs(x) + 0.5), x))
