"""A blob of a file that is open: its shape is known, its values are read when asked for."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import overload

import numpy as np
from numpy.typing import NDArray

from barista_server.caffe.blobshape import MAX_AXES, MAX_COUNT, Shape
from barista_server.caffe.errors import WeightsError

Array = NDArray[np.float32]

BLOCK = 1 << 18
"""Values converted, or looked at, in one go."""


@dataclass(frozen=True, slots=True)
class Blob:
    """Where a blob's values lie. dtype: as the file holds them, "float32", "float64", "float16" ...

    fill(out, start) reads the values from number `start` on, in C order, into the whole of a vector; it
    raises OSError, WeightsError.
    """

    shape: Shape
    dtype: str
    fill: Callable[[Array, int], None]

    @property
    def count(self) -> int:
        """Number of values; 1 for a scalar."""
        return prod(self.shape)

    def read(self) -> Array:
        """The values in their shape. Raises OSError, WeightsError."""
        return self.flat(0, self.count).reshape(self.shape)

    def flat(self, start: int, stop: int) -> Array:
        """The values start..stop, in C order. Raises OSError, WeightsError."""
        out = np.empty(stop - start, np.float32)
        if len(out):
            self.fill(out, start)
        return out

    def blocks(self) -> Iterator[Array]:
        """All values, in C order, a bounded number at a time. Raises OSError, WeightsError."""
        for start in range(0, self.count, BLOCK):
            yield self.flat(start, min(self.count, start + BLOCK))


class Values(Sequence[Array | None]):
    """The blobs of one layer as arrays; each is read anew when asked for, and not kept.

    None stands for one that the file leaves to the layer that shares it.
    """

    def __init__(self, blobs: Sequence[Blob | None]) -> None:
        self._blobs = blobs

    def __len__(self) -> int:
        return len(self._blobs)

    @overload
    def __getitem__(self, index: int) -> Array | None: ...
    @overload
    def __getitem__(self, index: slice) -> "Values": ...
    def __getitem__(self, index: int | slice) -> "Array | Values | None":
        if isinstance(index, slice):
            return Values(self._blobs[index])
        blob = self._blobs[index]
        return None if blob is None else blob.read()


def checked_shape(dims: Sequence[int], held: int) -> Shape:
    """The dims as a shape that `held` values fill. Raises WeightsError."""
    shape = tuple(int(dim) for dim in dims)
    if len(shape) > MAX_AXES:
        raise WeightsError(f"a blob has at most {MAX_AXES} axes, not {len(shape)}")
    if min(shape, default=0) < 0 or prod(shape) != held:
        raise WeightsError(f"a blob of shape {shape} holds {held} values")
    if held > MAX_COUNT:
        raise WeightsError(f"a blob of shape {shape} has more than {MAX_COUNT} values")
    return shape
