"""Shapes of blobs, as Caffe counts, names and checks them."""

from math import prod

Shape = tuple[int, ...]

MAX_AXES = 32
MAX_COUNT = 2**31 - 1


class ShapeError(ValueError):
    """A layer that Caffe would stop at: message in its words, with the numbers; hint: what to do.

    field and index name the setting at fault, as in "convolution_param.kernel_size", 0.
    """

    def __init__(self, message: str, field: str = "bottom", index: int = 0, hint: str = "") -> None:
        super().__init__(message)
        self.field = field
        self.index = index
        self.hint = hint


def need(condition: bool, message: str, field: str = "bottom", index: int = 0, hint: str = "") -> None:
    """Raise ShapeError with the message unless the condition holds."""
    if not condition:
        raise ShapeError(message, field, index, hint)


def shape_text(shape: Shape) -> str:
    """The shape as Caffe's logs show it: "64 1 28 28 (50176)"."""
    return "".join(f"{dim} " for dim in shape) + f"({prod(shape)})"


def axis_index(shape: Shape, axis: int, field: str) -> int:
    """The axis counted from the front; negative ones count from the back. Raises ShapeError."""
    need(
        -len(shape) <= axis < len(shape),
        f"axis {axis} out of range for {len(shape)}-D Blob with shape {shape_text(shape)}",
        field,
    )
    return axis % len(shape)


def legacy_dims(shape: Shape) -> tuple[int, int, int, int]:
    """num, channels, height, width of a blob with up to four axes; absent ones are 1. Raises ShapeError."""
    need(len(shape) <= 4, "Cannot use legacy accessors on Blobs with > 4 axes.")
    num, channels, height, width = (*shape, 1, 1, 1, 1)[:4]
    return num, channels, height, width


def check_blob(shape: Shape, field: str) -> None:
    """What Caffe checks of every blob it makes. Raises ShapeError."""
    need(len(shape) <= MAX_AXES, f"a blob has at most {MAX_AXES} axes, not {len(shape)}", field)
    need(min(shape, default=0) >= 0, f"a blob cannot have the shape {' '.join(map(str, shape))}", field)
    count = 1
    for dim in shape:
        count *= dim
        need(count <= MAX_COUNT, f"blob size exceeds INT_MAX ({' x '.join(map(str, shape))} values)", field)
