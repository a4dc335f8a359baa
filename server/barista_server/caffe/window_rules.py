"""Shapes of layers that slide a window over their bottom: convolution, pooling and their kin."""

from collections.abc import Sequence
from dataclasses import dataclass

from barista_server.caffe.blobshape import Shape, ShapeError, axis_index, need, shape_text
from barista_server.caffe.schema import ConvolutionParameter, LayerParameter, PoolingParameter

Shapes = Sequence[Shape]
Result = tuple[list[Shape], list[Shape]]

_CONV = "convolution_param"


@dataclass(frozen=True, slots=True)
class _Window:
    """A filter over the spatial axes behind the channel axis; one value per spatial axis."""

    channel_axis: int
    kernel: list[int]
    stride: list[int]
    pad: list[int]
    dilation: list[int]

    def extent(self, axis: int) -> int:
        return self.dilation[axis] * (self.kernel[axis] - 1) + 1


def convolution(layer: LayerParameter, bottoms: Shapes) -> Result:
    """Convolution: tops like the bottoms; weight (out, in / group, kernel...) and bias (out)."""
    window = _window(layer.convolution_param, bottoms[0])
    spatial = [
        _slide(bottoms[0][window.channel_axis + 1 + axis], window, axis) for axis in range(len(window.kernel))
    ]
    return _filtered(layer, bottoms, window, spatial, transposed=False)


def deconvolution(layer: LayerParameter, bottoms: Shapes) -> Result:
    """Deconvolution, the transpose of a convolution; weight (in, out / group, kernel...)."""
    window = _window(layer.convolution_param, bottoms[0])
    spatial = []
    for axis, (stride, pad) in enumerate(zip(window.stride, window.pad, strict=True)):
        dim = bottoms[0][window.channel_axis + 1 + axis]
        size = stride * (dim - 1) + window.extent(axis) - 2 * pad
        need(size > 0, f"pad {pad} leaves nothing of the output ({size})", f"{_CONV}.pad", axis)
        spatial.append(size)
    return _filtered(layer, bottoms, window, spatial, transposed=True)


def im2col(layer: LayerParameter, bottoms: Shapes) -> Result:
    """Im2col: one channel per value under the window."""
    shape = bottoms[0]
    window = _window(layer.convolution_param, shape)
    need(bool(window.kernel), f"needs spatial axes, bottom has shape {shape_text(shape)}")
    top = list(shape)
    for axis, kernel in enumerate(window.kernel):
        top[window.channel_axis] *= kernel
        top[window.channel_axis + 1 + axis] = _slide(shape[window.channel_axis + 1 + axis], window, axis)
    return [tuple(top)], []


def _filtered(
    layer: LayerParameter, bottoms: Shapes, window: _Window, spatial: list[int], transposed: bool
) -> Result:
    param, axis = layer.convolution_param, window.channel_axis
    for index, other in enumerate(bottoms):
        message = f"shape mismatch - bottom[0]: {shape_text(bottoms[0])} vs. bottom[{index}]: "
        need(other == bottoms[0], message + shape_text(other), "bottom", index)
    channels, outputs, group = bottoms[0][axis], param.num_output, param.group
    need(outputs > 0, "num_output must be positive", f"{_CONV}.num_output", hint="add num_output")
    need(group > 0, "group must be positive", f"{_CONV}.group")
    need(channels % group == 0, f"{channels} channels do not divide into {group} groups", f"{_CONV}.group")
    message = f"Number of output should be multiples of group. ({outputs} outputs, {group} groups)"
    need(outputs % group == 0, message, f"{_CONV}.num_output")
    first, second = (channels, outputs) if transposed else (outputs, channels)
    params: list[Shape] = [(first, second // group, *window.kernel)]
    if param.bias_term:
        params.append((outputs,))
    return [(*bottoms[0][:axis], outputs, *spatial)] * len(bottoms), params


def _window(param: ConvolutionParameter, shape: Shape) -> _Window:
    channel_axis = axis_index(shape, param.axis, f"{_CONV}.axis")
    axes = len(shape) - channel_axis - 1
    window = _Window(
        channel_axis,
        _per_axis(param, axes, "kernel_size", "kernel", None),
        _per_axis(param, axes, "stride", "stride", 1),
        _per_axis(param, axes, "pad", "pad", 0),
        _spread(list(param.dilation), axes, "dilation", 1),
    )
    for axis in range(axes):
        kernel, stride = f"{_CONV}.kernel_size", f"{_CONV}.stride"
        need(window.kernel[axis] > 0, "Filter dimensions must be nonzero.", kernel, axis)
        need(window.stride[axis] > 0, "Stride dimensions must be nonzero.", stride, axis)
    return window


def _per_axis(
    param: ConvolutionParameter, axes: int, field: str, stem: str, default: int | None
) -> list[int]:
    """Values of kernel_size, stride or pad, which 2-D layers may give as _h and _w."""
    values = list(getattr(param, field))
    height, width = f"{stem}_h", f"{stem}_w"
    if param.HasField(height) or param.HasField(width):  # type: ignore[arg-type]
        named = f"{_CONV}.{height}"
        need(axes == 2, f"{height} & {width} can only be used for 2D convolution.", named)
        need(not values, f"Either {field} or {stem}_h/w should be specified; not both.", named)
        return [getattr(param, height), getattr(param, width)]
    return _spread(values, axes, field, default)


def _spread(values: list[int], axes: int, field: str, default: int | None) -> list[int]:
    """One value per spatial axis from none (where there is a default), one for all, or one each."""
    if not values and default is not None:
        return [default] * axes
    need(
        len(values) in (1, axes),
        f"{field} must be specified once, or once per spatial dimension "
        f"({field} specified {len(values)} times; {axes} spatial dims).",
        f"{_CONV}.{field}",
        hint="" if values else f"add {field}",
    )
    return values if len(values) == axes else values * axes


def _slide(dim: int, window: _Window, axis: int) -> int:
    extent, pad = window.extent(axis), window.pad[axis]
    room = dim + 2 * pad
    padded = f"{dim}" + (f" with pad {pad} on each side" if pad else "")
    message = f"the kernel ({extent}) is larger than its input ({padded})"
    # Caffe rounds towards zero: a window that hangs over the end by less than a stride is let through
    fits = extent < room + window.stride[axis]
    need(fits, message, f"{_CONV}.kernel_size", axis, "a smaller kernel, more pad or larger data")
    return max(0, room - extent) // window.stride[axis] + 1


def pooling(layer: LayerParameter, bottoms: Shapes) -> Result:
    """Pooling: sizes rounded up, less a last window that would start in the padding."""
    param, shape = layer.pooling_param, bottoms[0]
    _need_four_axes(shape)
    _check_pooling(param)
    kernel, pad, stride = _pooling_window(param, shape)
    need(
        not param.global_pooling or (pad, stride) == ((0, 0), (1, 1)),
        "With Global_pooling: true; only pad = 0 and stride = 1",
        "pooling_param.global_pooling",
    )
    if pad != (0, 0):
        message = "Padding implemented only for average and max pooling."
        need(param.pool != PoolingParameter.STOCHASTIC, message, "pooling_param.pool")
        for axis in (0, 1):
            message = f"pad ({pad[axis]}) must be smaller than the kernel ({kernel[axis]})"
            need(pad[axis] < kernel[axis], message, "pooling_param.pad")
    sizes = [
        pooled_size(dim, kernel[axis], stride[axis], pad[axis], pad != (0, 0), _rounds_up(param))
        for axis, dim in enumerate(shape[2:])
    ]
    return [(shape[0], shape[1], *sizes)] * len(layer.top), []


def _rounds_up(param: PoolingParameter) -> bool:
    return param.round_mode == PoolingParameter.CEIL


def pooled_size(dim: int, kernel: int, stride: int, pad: int, padded: bool, ceil: bool = True) -> int:
    """Number of windows along an axis; padded: whether either axis has padding. Raises ShapeError."""
    room = dim + 2 * pad - kernel
    size = (-(-room // stride) if ceil else room // stride) + 1
    if padded and (size - 1) * stride >= dim + pad:
        size -= 1
    if size < 1 or (padded and (size - 1) * stride >= dim + pad):
        with_pad = f"{dim}" + (f" with pad {pad} on each side" if pad else "")
        raise ShapeError(
            f"the kernel ({kernel}, stride {stride}) does not fit its input ({with_pad})",
            "pooling_param.kernel_size",
            hint="a smaller kernel or larger data",
        )
    return size


def _pooling_window(
    param: PoolingParameter, shape: Shape
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Kernel, pad and stride, each for height and width."""
    if param.global_pooling:
        kernel = (shape[2], shape[3])
    elif param.HasField("kernel_size"):
        kernel = (param.kernel_size, param.kernel_size)
    else:
        kernel = (param.kernel_h, param.kernel_w)
    pad = (param.pad_h, param.pad_w) if param.HasField("pad_h") else (param.pad, param.pad)
    stride = (param.stride_h, param.stride_w) if param.HasField("stride_h") else (param.stride, param.stride)
    need(min(kernel) > 0, "Filter dimensions cannot be zero.", "pooling_param.kernel_size")
    need(min(stride) > 0, "Stride dimensions cannot be zero.", "pooling_param.stride")
    return kernel, pad, stride


def _check_pooling(param: PoolingParameter) -> None:
    """Which of kernel_size, pad and stride may stand beside their _h and _w."""
    square, both = param.HasField("kernel_size"), param.HasField("kernel_h") and param.HasField("kernel_w")
    field = "pooling_param.kernel_size"
    if param.global_pooling:
        either = square or param.HasField("kernel_h") or param.HasField("kernel_w")
        need(not either, "With Global_pooling: true Filter size cannot specified", field)
    else:
        message = "Filter size is kernel_size OR kernel_h and kernel_w; not both"
        need(square != both, message, field, hint="" if square else "add kernel_size")
    for name, text in (("pad", "pad is pad OR pad_h and pad_w are required."),
                       ("stride", "Stride is stride OR stride_h and stride_w are required.")):  # fmt: skip
        one, tall, wide = (param.HasField(f"{name}{end}") for end in ("", "_h", "_w"))  # type: ignore[arg-type]
        need((not one and tall and wide) or not (tall or wide), text, f"pooling_param.{name}")


def spatial_pyramid(layer: LayerParameter, bottoms: Shapes) -> Result:
    """SPP: the maxima of 1, 4, 16, ... bins side by side; a single level stays a four-axis blob."""
    param, shape, levels = layer.spp_param, bottoms[0], layer.spp_param.pyramid_height
    _need_four_axes(shape)
    need(levels > 0, "pyramid_height must be positive", "spp_param.pyramid_height", hint="add pyramid_height")
    need(min(shape[2:]) > 0, "Input dimensions cannot be zero.")
    bins = 0
    for level in range(levels):
        (height, padded), (width, wide) = (_bins(dim, 2**level) for dim in shape[2:])
        message = "Padding implemented only for average and max pooling."
        need(param.pool != param.STOCHASTIC or not (padded or wide), message, "spp_param.pool")
        bins += height * width
        if levels == 1:
            return [(shape[0], shape[1], height, width)], []
    return [(shape[0], shape[1] * bins)], []


def _bins(dim: int, wanted: int) -> tuple[int, bool]:
    """Number of windows for so many bins, and whether they need padding. Raises ShapeError."""
    kernel = -(-dim // wanted)
    pad = (kernel * wanted - dim + 1) // 2
    need(
        pad < kernel,
        f"{wanted} bins are too many for an input of {dim} values",
        "spp_param.pyramid_height",
        hint="a lower pyramid_height",
    )
    return pooled_size(dim, kernel, kernel, pad, bool(pad)), bool(pad)


def _need_four_axes(shape: Shape) -> None:
    message = "Input must have 4 axes, corresponding to (num, channels, height, width), not "
    need(len(shape) == 4, message + shape_text(shape))
