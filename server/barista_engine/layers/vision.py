"""Layers over images: convolution, its transpose, pooling."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F

from barista_engine.errors import CheckFailed, check_equal
from barista_engine.interfaces import Shape
from barista_engine.layers.columns import Window, columns, convolved, deconvolved
from barista_engine.layers.registry import Built, Context, layer, shape_string
from barista_server.caffe.schema import ConvolutionParameter, LayerParameter

_FLT_MAX = torch.finfo(torch.float32).max
_CONV = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}
_CONV_TRANSPOSE = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


_LINES = {"kernel": 27, "stride": 51, "pad": 75, "dilation": 90}
"""Where Caffe's base_conv_layer.cpp begins to read each setting; its im2col_layer.cpp is 4 lines ahead."""


def _window(ctx: Context, p: ConvolutionParameter, least: int = 0) -> Window:
    """The window of a layer with at least so many spatial axes. Raises CheckFailed."""
    axis, ahead = ctx.axis(p.axis), 4 * least
    axes = len(ctx.bottoms[0]) - axis - 1
    ctx.check(axes >= least, f"num_spatial_axes_ >= {least} ({axes} vs. {least})", "", 21 - ahead)
    kernel = _sizes(ctx, p, "kernel", "kernel_size", list(p.kernel_size), axes, None, ahead)
    nonzero = "Filter dimensions must be nonzero."
    ctx.check(all(kernel), "kernel_shape_data[i] > 0 (0 vs. 0)", nonzero, 45 - ahead)
    stride = _sizes(ctx, p, "stride", "stride", list(p.stride), axes, 1, ahead)
    nonzero = "Stride dimensions must be nonzero."
    ctx.check(all(stride), "stride_data[i] > 0 (0 vs. 0)", nonzero, 68 - ahead)
    pad = _sizes(ctx, p, "pad", "pad", list(p.pad), axes, 0, ahead)
    dilation = _sizes(ctx, p, "dilation", "dilation", list(p.dilation), axes, 1, ahead)
    return Window(axis, kernel, stride, pad, dilation)


def _sizes(
    ctx: Context,
    p: ConvolutionParameter,
    stem: str,
    name: str,
    values: list[int],
    axes: int,
    default: int | None,
    ahead: int,
) -> Shape:
    """`name` once, once an axis, or as STEM_h and STEM_w (not dilation); `default` when absent."""
    line = _LINES[stem] - ahead
    if stem != "dilation" and (p.HasField(f"{stem}_h") or p.HasField(f"{stem}_w")):  # type: ignore[arg-type]
        only_2d = f"{stem}_h & {stem}_w can only be used for 2D convolution."
        ctx.check(axes == 2, f"num_spatial_axes_ == 2 ({axes} vs. 2)", only_2d, line)
        both = f"Either {name} or {stem}_h/w should be specified; not both."
        ctx.check(not values, f"0 == conv_param.{name}_size() (0 vs. {len(values)})", both, line + 2)
        return (getattr(p, f"{stem}_h"), getattr(p, f"{stem}_w"))
    if not values and default is not None:
        return (default,) * axes
    message = (
        f"{name} must be specified once, or once per spatial dimension "
        f"({name} specified {len(values)} times; {axes} spatial dims){';' if ahead else '.'}"
    )
    none = "" if default is None else f"num_{stem}_dims == 0 || "
    condition = f"{none}num_{stem}_dims == 1 || num_{stem}_dims == num_spatial_axes_"
    ctx.check(len(values) in (1, axes), condition, message, line + 8)
    return tuple(values) if len(values) == axes else (values[0],) * axes


@layer("Convolution", bottoms=(1, None), tops=(1, None), one_top_a_bottom=True)
def convolution(ctx: Context) -> Built:
    """Cross-correlation; weight (outputs, inputs / group, kernel...)."""
    p = ctx.spec.convolution_param
    w = _window(ctx, p)
    channels, sizes = _checked_channels(ctx, p, w)
    # On CPUs channels-last convolving and pooling takes half the time; the format spreads from the weight.
    last = ctx.device.type == "cpu" and len(w.kernel) == 2
    layout = torch.channels_last if last else torch.contiguous_format
    weight = ctx.param((p.num_output, channels // p.group, *w.kernel), p.weight_filler, layout)
    bias = ctx.param((p.num_output,), p.bias_filler) if p.bias_term else None
    if w.native(sizes):
        conv = _CONV[len(w.kernel)]

        def one(x: torch.Tensor) -> torch.Tensor:
            return conv(x, weight(), None if bias is None else bias(), w.stride, w.pad, w.dilation, p.group)

    else:

        def one(x: torch.Tensor) -> torch.Tensor:
            return convolved(x, weight(), None if bias is None else bias(), w, p.group)

    return _each_bottom(ctx, w, (p.num_output, *w.slid(sizes)), one)


@layer("Deconvolution", bottoms=(1, None), tops=(1, None), one_top_a_bottom=True)
def deconvolution(ctx: Context) -> Built:
    """The transpose of a convolution; weight (inputs, outputs / group, kernel...)."""
    p = ctx.spec.convolution_param
    w = _window(ctx, p)
    channels, sizes = _checked_channels(ctx, p, w)
    weight = ctx.param((channels, p.num_output // p.group, *w.kernel), p.weight_filler)
    bias = ctx.param((p.num_output,), p.bias_filler) if p.bias_term else None
    if w.native():
        conv: Callable[..., torch.Tensor] = _CONV_TRANSPOSE[len(w.kernel)]

        def one(x: torch.Tensor) -> torch.Tensor:
            return conv(
                x, weight(), None if bias is None else bias(), w.stride, w.pad, 0, p.group, w.dilation
            )

    else:

        def one(x: torch.Tensor) -> torch.Tensor:
            return deconvolved(x, weight(), None if bias is None else bias(), w, p.group)

    return _each_bottom(ctx, w, (p.num_output, *w.spread(sizes)), one)


def _checked_channels(ctx: Context, p: ConvolutionParameter, w: Window) -> tuple[int, Shape]:
    first, file = ctx.bottoms[0], "base_conv_layer.cpp"
    channels = first[w.axis]
    ctx.check(p.num_output > 0, f"num_output_ > 0 ({p.num_output} vs. 0)", "", 119)
    ctx.check(p.group > 0, "group_ > 0 (0 vs. 0)", "", 121)
    check_equal("channels_ % group_", channels % p.group, "0", 0, "", file, 121)
    multiple = "Number of output should be multiples of group."
    check_equal("num_output_ % group_", p.num_output % p.group, "0", 0, multiple, file, 122)
    for i, shape in enumerate(ctx.bottoms):
        shapes = f"shape mismatch - bottom[0]: {shape_string(first)} vs. bottom[{i}]: {shape_string(shape)}"
        ctx.check(shape == first, "bottom[0]->shape() == bottom[bottom_id]->shape()", shapes, 195)
    return channels, first[w.axis + 1 :]


def _each_bottom(
    ctx: Context, w: Window, output: Shape, one: Callable[[torch.Tensor], torch.Tensor]
) -> Built:
    """Apply `one`, which wants (batch, channels, spatial...), to each bottom, whatever precedes channels."""
    lead = ctx.bottoms[0][: w.axis]
    ctx.check_output((*lead, *output))
    shapes = [(*lead, *output)] * ctx.tops
    if w.axis != 1:
        batch = math.prod(lead)
        flat = one

        def one(x: torch.Tensor) -> torch.Tensor:
            return flat(x.reshape(batch, *x.shape[w.axis :])).reshape(*lead, *output)

    if ctx.tops == 1:
        return shapes, one
    return shapes, lambda *xs: tuple(one(x) for x in xs)


@layer("Im2col", heedless=True)
def im2col(ctx: Context) -> Built:
    """Every window of an image as a column: (..., channels * kernel, outputs...)."""
    w = _window(ctx, ctx.spec.convolution_param, least=1)
    lead, channels, sizes = math.prod(ctx.bottoms[0][: w.axis]), *_split_at(ctx.bottoms[0], w.axis)
    outputs = w.slid(sizes)
    top = (*ctx.bottoms[0][: w.axis], channels * math.prod(w.kernel), *outputs)
    ctx.check_output(top)
    return [top], lambda x: columns(x.reshape(lead, channels, *sizes), w, outputs).reshape(top)


def _split_at(shape: Shape, axis: int) -> tuple[int, Shape]:
    """The number of channels and the spatial sizes behind them."""
    return shape[axis], shape[axis + 1 :]


@dataclass(frozen=True, slots=True)
class _Pool:
    """Geometry of a pooling layer, (height, width) each."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    pad: tuple[int, int]
    ceil: bool
    size: tuple[int, int]
    output: tuple[int, int]

    @property
    def native(self) -> bool:
        """Whether torch has these windows: it drops empty last ones and pads by half a kernel at most."""
        return all(
            2 * p <= k and (o - 1) * s < n + p
            for k, s, p, n, o in zip(self.kernel, self.stride, self.pad, self.size, self.output, strict=True)
        )

    @property
    def margins(self) -> tuple[int, int, int, int]:
        """(left, right, top, bottom) padding, negative to crop, that makes windows end at the edge."""
        bottom, right = (
            (o - 1) * s + k - n - p
            for k, s, p, n, o in zip(self.kernel, self.stride, self.pad, self.size, self.output, strict=True)
        )
        return self.pad[1], right, self.pad[0], bottom


@layer("Pooling", tops=(1, 2))
def pooling(ctx: Context) -> Built:
    """MAX (with the arg max as second top), AVE or STOCHASTIC; sizes round up unless round_mode is FLOOR."""
    p = ctx.spec.pooling_param
    least_and_most = (
        "MaxTopBlobs() >= top.size() (1 vs. 2) Pooling Layer produces at most 1 top blob(s) as output."
    )
    if p.pool != p.MAX and ctx.tops > 1:
        raise CheckFailed(f"Check failed: {least_and_most}", "layer.hpp", 374)
    g = _pool_geometry(ctx)
    if p.pool == p.STOCHASTIC:
        return [(*ctx.bottoms[0][:2], *g.output)], _stochastic(g, ctx)
    if p.pool == p.AVE:
        forward: Callable[..., torch.Tensor | tuple[torch.Tensor, ...]] = _average(g)
    else:
        forward = _largest(g) if ctx.tops == 1 else _largest_with_mask(g)
    return [(*ctx.bottoms[0][:2], *g.output)] * ctx.tops, forward


@layer("SPP")
def spatial_pyramid_pooling(ctx: Context) -> Built:
    """The image pooled into 1, 2 x 2, 4 x 4 ... bins, flattened one behind the other (a lone 1 is not)."""
    p = ctx.spec.spp_param
    ctx.check(p.pyramid_height > 0, "pyramid_height > 0 (0 vs. 0)", "A pyramid has a level at least.")
    _check_four_axes(ctx)
    ctx.check(p.pool != p.STOCHASTIC, "pool != STOCHASTIC", "Not Implemented Yet: stochastic pooling.")
    levels = [_pyramid_level(ctx, 2**level) for level in range(p.pyramid_height)]
    batch, channels = ctx.bottoms[0][:2]
    pools = [_average(g) if p.pool == p.AVE else _largest(g) for g in levels]
    if len(levels) == 1:
        return [(batch, channels, *levels[0].output)], pools[0]
    size = channels * sum(math.prod(g.output) for g in levels)
    return [(batch, size)], lambda x: torch.cat([pool(x).flatten(1) for pool in pools], 1)


def _pyramid_level(ctx: Context, bins: int) -> _Pool:
    """Pooling into bins x bins windows, the padding spread to both sides."""
    height, width = ctx.bottoms[0][2:]
    kernel_h, kernel_w = -(-height // bins), -(-width // bins)
    spec = LayerParameter(name=ctx.spec.name, type="Pooling")
    p = spec.pooling_param
    p.kernel_h, p.stride_h, p.pad_h = kernel_h, kernel_h, (kernel_h * bins - height + 1) // 2
    p.kernel_w, p.stride_w, p.pad_w = kernel_w, kernel_w, (kernel_w * bins - width + 1) // 2
    return _pool_geometry(replace(ctx, spec=spec))


def _check_four_axes(ctx: Context) -> None:
    message = "Input must have 4 axes, corresponding to (num, channels, height, width)"
    names = "4", "bottom[0]->num_axes()"
    check_equal(names[0], 4, names[1], len(ctx.bottoms[0]), message, "pooling_layer.cpp", 82)


def _pool_geometry(ctx: Context) -> _Pool:
    """The windows of a pooling layer. Raises CheckFailed for settings that contradict each other."""
    p = ctx.spec.pooling_param
    _, _, *size = ctx.legacy_dims()
    kernel = _pool_kernel(ctx, size)
    pad, stride = _pool_pair(ctx, "pad", "pad is pad", 29), _pool_pair(ctx, "stride", "Stride is stride", 33)
    for axis, k in zip("hw", kernel, strict=True):
        ctx.check(k > 0, f"kernel_{axis}_ > 0 ({k} vs. 0)", "Filter dimensions cannot be zero.", 50)
    ctx.check(min(stride) > 0, "stride_h_ > 0 (0 vs. 0)", "Stride dimensions cannot be zero.", 60)
    if p.global_pooling:
        message = "With Global_pooling: true; only pad = 0 and stride = 1"
        plain = "pad_h_ == 0 && pad_w_ == 0 && stride_h_ == 1 && stride_w_ == 1"
        ctx.check(pad == (0, 0) and stride == (1, 1), plain, message, 65)
    if any(pad):
        message = "Padding implemented only for average and max pooling."
        ctx.check(p.pool != p.STOCHASTIC, "pool == AVE || pool == MAX", message, 69)
        for i, axis in enumerate("hw"):
            relation = f"pad_{axis}_ < kernel_{axis}_ ({pad[i]} vs. {kernel[i]})"
            ctx.check(pad[i] < kernel[i], relation, "", 74 + i)
    _check_four_axes(ctx)
    ceil = p.round_mode == p.CEIL
    output = (
        _pooled(size[0], kernel[0], stride[0], pad[0], ceil, any(pad)),
        _pooled(size[1], kernel[1], stride[1], pad[1], ceil, any(pad)),
    )
    ctx.check_output((*ctx.bottoms[0][:2], *output))
    return _Pool(kernel, stride, pad, ceil, (size[0], size[1]), output)


def _pool_kernel(ctx: Context, size: list[int]) -> tuple[int, int]:
    p, has = ctx.spec.pooling_param, "pool_param.has_kernel"
    square, tall, wide = p.HasField("kernel_size"), p.HasField("kernel_h"), p.HasField("kernel_w")
    if p.global_pooling:
        message = "With Global_pooling: true Filter size cannot specified"
        none = not (square or tall or wide)
        ctx.check(none, f"!({has}_size() || {has}_h() || {has}_w())", message, 18)
        return size[0], size[1]
    message = "Filter size is kernel_size OR kernel_h and kernel_w; not both"
    one = square != (tall and wide)
    ctx.check(one, f"!{has}_size() != !({has}_h() && {has}_w())", message, 22)
    return (p.kernel_size, p.kernel_size) if square else (p.kernel_h, p.kernel_w)


def _pool_pair(ctx: Context, name: str, what: str, line: int) -> tuple[int, int]:
    """pad or stride: the one number, or the pair."""
    p, has = ctx.spec.pooling_param, f"pool_param.has_{name}"
    one, tall, wide = (p.HasField(f"{name}{end}") for end in ("", "_h", "_w"))  # type: ignore[arg-type]
    condition = f"(!{has}() && {has}_h() && {has}_w()) || (!{has}_h() && !{has}_w())"
    fits = (not one and tall and wide) or not (tall or wide)
    ctx.check(fits, condition, f"{what} OR {name}_h and {name}_w are required.", line)
    if tall:
        return getattr(p, f"{name}_h"), getattr(p, f"{name}_w")
    return getattr(p, name), getattr(p, name)


def _pooled(size: int, kernel: int, stride: int, pad: int, ceil: bool, padded: bool) -> int:
    """Number of windows along an axis; with padding the last must start before the far padding."""
    span = size + 2 * pad - kernel
    count = (-(-span // stride) if ceil else span // stride) + 1
    return count - 1 if padded and (count - 1) * stride >= size + pad else count


def _largest(g: _Pool) -> Callable[[torch.Tensor], torch.Tensor]:
    if g.native:
        return lambda x: F.max_pool2d(x, g.kernel, g.stride, g.pad, ceil_mode=g.ceil)
    return lambda x: F.max_pool2d(F.pad(x, g.margins, value=-_FLT_MAX), g.kernel, g.stride)


def _largest_with_mask(g: _Pool) -> Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor]]:
    """The mask is the index of the largest number in its image plane, as a float; -1 of an empty window."""
    left, _, top, _ = g.margins
    wide = g.size[1] + left + g.margins[1]

    def forward(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if g.native:
            y, index = F.max_pool2d(x, g.kernel, g.stride, g.pad, ceil_mode=g.ceil, return_indices=True)
        else:
            padded = F.pad(x, g.margins, value=-_FLT_MAX)
            y, index = F.max_pool2d(padded, g.kernel, g.stride, return_indices=True)
            index = (index // wide - top) * g.size[1] + index % wide - left
            index = index.masked_fill(y <= -_FLT_MAX, -1)
        return y, index.to(x.dtype)

    return forward


def _stochastic(g: _Pool, ctx: Context) -> Callable[[torch.Tensor], torch.Tensor]:
    """In training one number of the window, drawn by its size; in testing the mean that such draws tend to.

    Caffe has this on GPUs only. Numbers below 0 have no meaning here.
    """
    generator = ctx.device_generator

    def forward(x: torch.Tensor) -> torch.Tensor:
        padded = F.pad(x, g.margins)
        windows = padded.unfold(2, g.kernel[0], g.stride[0]).unfold(3, g.kernel[1], g.stride[1]).flatten(4)
        if not ctx.training:
            return windows.square().sum(-1) / (windows.sum(-1) + torch.finfo(x.dtype).tiny)
        sums = windows.detach().cumsum(-1)
        draw = torch.rand(sums.shape[:-1], generator=generator, device=x.device) * sums[..., -1]
        chosen = (sums >= draw.unsqueeze(-1)).to(torch.uint8).argmax(-1, keepdim=True)
        return windows.gather(-1, chosen).squeeze(-1)

    return forward


def _average(g: _Pool) -> Callable[[torch.Tensor], torch.Tensor]:
    """Sums over the window's area in the padded image: padding zeros count, what lies beyond does not."""
    if g.native:
        return lambda x: F.avg_pool2d(x, g.kernel, g.stride, g.pad, ceil_mode=g.ceil, count_include_pad=True)
    height, width = (
        torch.tensor([min(i * s - p + k, n + p) - (i * s - p) for i in range(o)], dtype=torch.float32)
        for k, s, p, n, o in zip(g.kernel, g.stride, g.pad, g.size, g.output, strict=True)
    )
    area = height[:, None] * width[None, :]

    def forward(x: torch.Tensor) -> torch.Tensor:
        total = F.avg_pool2d(F.pad(x, g.margins), g.kernel, g.stride, divisor_override=1)
        return total / area.to(x.device)

    return forward
