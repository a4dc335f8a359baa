"""Shapes of layers that compute on values, by their type.

Every rule takes the layer and the shapes of its bottoms, and gives those of its tops and of its parameters;
it raises ShapeError for what Caffe would not build.
"""

from collections.abc import Sequence
from itertools import pairwise
from math import prod

from barista_server.caffe.blobshape import Shape, ShapeError, axis_index, legacy_dims, need, shape_text
from barista_server.caffe.schema import LayerParameter

Shapes = Sequence[Shape]
Result = tuple[list[Shape], list[Shape]]


def same(layer: LayerParameter, bottoms: Shapes) -> Result:
    """Tops in the shape of the bottom."""
    return [bottoms[0]] * len(layer.top), []


def out_of_place(layer: LayerParameter) -> None:
    """Some layers cannot write over their bottom. Raises ShapeError."""
    clash = layer.bottom[0] in layer.top
    message = f"{layer.type} Layer does not allow in-place computation."
    need(not clash, message, "top", hint="give the top a name of its own")


def same_elsewhere(layer: LayerParameter, bottoms: Shapes) -> Result:
    """As `same`, for layers that cannot write over their bottom."""
    out_of_place(layer)
    return same(layer, bottoms)


def exponential(layer: LayerParameter, bottoms: Shapes) -> Result:
    _check_base(layer.exp_param.base, "exp_param.base")
    return same(layer, bottoms)


def logarithm(layer: LayerParameter, bottoms: Shapes) -> Result:
    base = layer.log_param.base
    _check_base(base, "log_param.base")
    need(base != 1, "Inf result: 1/log(base) = 1/log(1) = inf", "log_param.base")
    return same(layer, bottoms)


def _check_base(base: float, field: str) -> None:
    need(base == -1 or base > 0, f"base must be strictly positive, not {base:g}.", field, hint="-1 means e")


def nothing(layer: LayerParameter, bottoms: Shapes) -> Result:
    return [], []


def lrn(layer: LayerParameter, bottoms: Shapes) -> Result:
    message = "Input must have 4 axes, corresponding to (num, channels, height, width), not "
    need(len(bottoms[0]) == 4, message + shape_text(bottoms[0]))
    odd = layer.lrn_param.local_size % 2 == 1
    need(odd, "LRN only supports odd values for local_size", "lrn_param.local_size")
    return same(layer, bottoms)


def mvn(layer: LayerParameter, bottoms: Shapes) -> Result:
    return [legacy_dims(bottoms[0])], []


def prelu(layer: LayerParameter, bottoms: Shapes) -> Result:
    need(len(bottoms[0]) >= 2, "Number of axes of bottom blob must be >=2.")
    channels = legacy_dims(bottoms[0])[1]
    return [bottoms[0]], [() if layer.prelu_param.channel_shared else (channels,)]


def batch_norm(layer: LayerParameter, bottoms: Shapes) -> Result:
    need(len(bottoms[0]) >= 2, f"needs at least 2 axes, bottom has shape {shape_text(bottoms[0])}")
    for index, spec in enumerate(layer.param[:3]):
        message = "Cannot configure batch normalization statistics as layer parameters."
        need(spec.lr_mult == 0, message, "param.lr_mult", index, "lr_mult: 0 for each of its params")
    channels = bottoms[0][1]
    return [bottoms[0]], [(channels,), (channels,), (1,)]


def scale(layer: LayerParameter, bottoms: Shapes) -> Result:
    param = layer.scale_param
    params = _spanned(bottoms, param.axis, param.num_axes, "scale")
    if param.bias_term:
        start = axis_index(bottoms[0], param.axis, "scale_param.axis")
        params.append(params[0] if params else bottoms[0][start : start + len(bottoms[1])])
    return [bottoms[0]], params


def bias(layer: LayerParameter, bottoms: Shapes) -> Result:
    param = layer.bias_param
    return [bottoms[0]], _spanned(bottoms, param.axis, param.num_axes, "bias")


def _spanned(bottoms: Shapes, axis: int, num_axes: int, what: str) -> list[Shape]:
    """The parameter over the given axes of the first bottom; none where it comes as the second bottom."""
    shape, field = bottoms[0], f"{what}_param."
    if len(bottoms) == 1:
        start = axis_index(shape, axis, field + "axis")
        message = "num_axes must be non-negative, or -1 to extend to the end of bottom[0]"
        need(num_axes >= -1, message, field + "num_axes")
        end = len(shape) if num_axes == -1 else start + num_axes
        message = f"{what} blob's shape extends past bottom[0]'s shape when applied starting with "
        need(end <= len(shape), f"{message}bottom[0] axis = {start}", field + "num_axes")
        return [shape[start:end]]
    other = bottoms[1]
    start = axis_index(shape, axis, field + "axis") if other else 0
    fits = shape[start : start + len(other)] == other
    message = f"{what} blob of shape {shape_text(other)} does not fit bottom[0] of shape {shape_text(shape)} "
    need(fits, f"{message}starting with axis {start}", "bottom", 1)
    return []


def inner_product(layer: LayerParameter, bottoms: Shapes) -> Result:
    param, shape = layer.inner_product_param, bottoms[0]
    axis = axis_index(shape, param.axis, "inner_product_param.axis")
    outputs, inputs = param.num_output, prod(shape[axis:])
    message = "num_output must be positive"
    need(outputs > 0, message, "inner_product_param.num_output", hint="add num_output")
    params: list[Shape] = [(inputs, outputs) if param.transpose else (outputs, inputs)]
    if param.bias_term:
        params.append((outputs,))
    return [(*shape[:axis], outputs)], params


def embed(layer: LayerParameter, bottoms: Shapes) -> Result:
    param = layer.embed_param
    for field in ("num_output", "input_dim"):
        positive = getattr(param, field) > 0
        need(positive, f"EmbedLayer {field} must be positive.", f"embed_param.{field}", hint=f"add {field}")
    params: list[Shape] = [(param.input_dim, param.num_output)]
    if param.bias_term:
        params.append((param.num_output,))
    return [(*bottoms[0], param.num_output)], params


def concat(layer: LayerParameter, bottoms: Shapes) -> Result:
    param = layer.concat_param
    both = param.HasField("axis") and param.HasField("concat_dim")
    message = "Either axis or concat_dim should be specified; not both."
    need(not both, message, "concat_param.concat_dim")
    old = param.HasField("concat_dim")
    axis = axis_index(bottoms[0], param.concat_dim if old else param.axis, "concat_param.axis")
    for index, shape in enumerate(bottoms):
        message = f"bottom[0]: {shape_text(bottoms[0])}, bottom[{index}]: {shape_text(shape)}"
        alike = len(shape) == len(bottoms[0])
        need(alike, f"All inputs must have the same #axes. {message}", "bottom", index)
        alike = _without(shape, axis) == _without(bottoms[0], axis)
        reason = "All inputs must have the same shape, except at concat_axis."
        need(alike, f"{reason} {message}", "bottom", index)
    size = sum(shape[axis] for shape in bottoms)
    return [(*bottoms[0][:axis], size, *bottoms[0][axis + 1 :])], []


def _without(shape: Shape, axis: int) -> Shape:
    return shape[:axis] + shape[axis + 1 :]


def slices(layer: LayerParameter, bottoms: Shapes) -> Result:
    param, shape, tops = layer.slice_param, bottoms[0], len(layer.top)
    both = param.HasField("axis") and param.HasField("slice_dim")
    message = "Either axis or slice_dim should be specified; not both."
    need(not both, message, "slice_param.slice_dim")
    old = param.HasField("slice_dim")
    axis = axis_index(shape, param.slice_dim if old else param.axis, "slice_param.axis")
    size, field = shape[axis], "slice_param.slice_point"
    if not param.slice_point:
        message = f"Number of top blobs ({tops}) should evenly divide input slice axis ({size})"
        need(size % tops == 0, message, "top", hint="give slice_point")
        sizes = [size // tops] * tops
    else:
        points = list(param.slice_point)
        message = f"{tops} tops need {tops - 1} slice_point, not {len(points)}"
        need(len(points) == tops - 1, message, field)
        bounds = [0, *points, size]
        sizes = [end - start for start, end in pairwise(bounds)]
        message = f"slice_point must rise and stay below the size of the axis ({size})"
        need(min(sizes) > 0, message, field)
    return [(*shape[:axis], part, *shape[axis + 1 :]) for part in sizes], []


def eltwise(layer: LayerParameter, bottoms: Shapes) -> Result:
    param = layer.eltwise_param
    message = "Eltwise Layer takes one coefficient per bottom blob."
    need(len(param.coeff) in (0, len(bottoms)), message, "eltwise_param.coeff")
    message = "Eltwise layer only takes coefficients for summation."
    need(not (param.coeff and param.operation == param.PROD), message, "eltwise_param.coeff")
    for index, shape in enumerate(bottoms):
        message = f"bottom[0]: {shape_text(bottoms[0])}, bottom[{index}]: {shape_text(shape)}"
        need(shape == bottoms[0], f"inputs must have the same shape. {message}", "bottom", index)
    return [bottoms[0]], []


def flatten(layer: LayerParameter, bottoms: Shapes) -> Result:
    out_of_place(layer)
    shape = bottoms[0]
    start = axis_index(shape, layer.flatten_param.axis, "flatten_param.axis")
    end = axis_index(shape, layer.flatten_param.end_axis, "flatten_param.end_axis")
    # Caffe lets end_axis be the one just before axis: between the two it puts an axis of 1
    need(start <= end + 1, f"axis {start} is behind end_axis {end}", "flatten_param.end_axis")
    return [(*shape[:start], prod(shape[start : end + 1]), *shape[end + 1 :])], []


def reshape(layer: LayerParameter, bottoms: Shapes) -> Result:
    out_of_place(layer)
    param, shape = layer.reshape_param, bottoms[0]
    start = param.axis if param.axis >= 0 else len(shape) + param.axis + 1
    message = f"axis {param.axis} out of range for {len(shape)}-D input blob"
    need(0 <= start <= len(shape), message, "reshape_param.axis")
    message = "num_axes must be >= 0, or -1 for all"
    need(param.num_axes >= -1, message, "reshape_param.num_axes")
    end = len(shape) if param.num_axes == -1 else start + param.num_axes
    message = "end_axis = axis + num_axes is out of range"
    need(end <= len(shape), message, "reshape_param.num_axes")
    dims = list(param.shape.dim)
    field = "reshape_param.shape.dim"
    for index, dim in enumerate(dims):
        if dim == 0:
            message = "new shape contains a 0, but there was no corresponding bottom axis to copy"
            need(start + index < len(shape), message, field, index)
            dims[index] = shape[start + index]
    message = "new shape contains multiple -1 dims; at most a single (1) value of -1 may be specified"
    need(dims.count(-1) <= 1, message, field)
    if -1 in dims:
        known = prod(dim for dim in dims if dim != -1) * prod(shape[:start]) * prod(shape[end:])
        message = f"bottom count ({prod(shape)}) must be divisible by the product of the specified dimensions"
        need(known != 0 and prod(shape) % known == 0, f"{message} ({known})", field)
        dims[dims.index(-1)] = prod(shape) // known
    top = (*shape[:start], *dims, *shape[end:])
    message = f"output count must match input count: {shape_text(top)} vs. {shape_text(shape)}"
    need(prod(top) == prod(shape), message, field)
    return [top], []


def crop(layer: LayerParameter, bottoms: Shapes) -> Result:
    param, (shape, size) = layer.crop_param, bottoms
    start = axis_index(shape, param.axis, "crop_param.axis")
    offsets, axes = list(param.offset), len(shape) - start
    message = "number of offset values specified must be equal to the number of dimensions following axis."
    need(len(offsets) in (0, 1, axes), message, "crop_param.offset")
    need(len(size) >= len(shape), f"bottom[1] has too few axes: {shape_text(size)}", "bottom", 1)
    offsets = offsets * axes if len(offsets) == 1 else offsets or [0] * axes
    for axis in range(start, len(shape)):
        offset = offsets[axis - start]
        message = (
            f"the crop for dimension {axis} is out-of-bounds with size {size[axis]} and offset {offset} "
            f"(bottom[0] has {shape[axis]})"
        )
        need(shape[axis] - offset >= size[axis], message, "crop_param.offset")
    return [(*shape[:start], *size[start : len(shape)])], []


def tile(layer: LayerParameter, bottoms: Shapes) -> Result:
    param, shape = layer.tile_param, bottoms[0]
    axis = axis_index(shape, param.axis, "tile_param.axis")
    need(param.tiles > 0, "Number of tiles must be positive.", "tile_param.tiles", hint="add tiles")
    return [(*shape[:axis], shape[axis] * param.tiles, *shape[axis + 1 :])], []


def reduction(layer: LayerParameter, bottoms: Shapes) -> Result:
    return [bottoms[0][: axis_index(bottoms[0], layer.reduction_param.axis, "reduction_param.axis")]], []


def argmax(layer: LayerParameter, bottoms: Shapes) -> Result:
    param, shape = layer.argmax_param, bottoms[0]
    field = "argmax_param.top_k"
    need(param.top_k >= 1, "top k must not be less than 1.", field)
    if param.HasField("axis"):
        axis = axis_index(shape, param.axis, "argmax_param.axis")
        message = f"top_k must be less than or equal to the dimension of the axis ({shape[axis]})."
        need(param.top_k <= shape[axis], message, field)
        return [(*shape[:axis], param.top_k, *shape[axis + 1 :])], []
    need(bool(shape), "needs at least 1 axis")
    message = "top_k must be less than or equal to the dimension of the flattened bottom blob per instance"
    need(param.top_k <= prod(shape[1:]), f"{message} ({prod(shape[1:])}).", field)
    return [(shape[0], 2 if param.out_max_val else 1, param.top_k, *[1] * (len(shape) - 3))], []


def batch_reindex(layer: LayerParameter, bottoms: Shapes) -> Result:
    message = f"bottom[1] must have one axis, not {shape_text(bottoms[1])}"
    need(len(bottoms[1]) == 1, message, "bottom", 1)
    return [(bottoms[1][0], *bottoms[0][1:])], []


def filters(layer: LayerParameter, bottoms: Shapes) -> Result:
    """Filter: shapes before the first batch, when every item is let through."""
    *data, selector = bottoms
    message = f"{len(data)} blobs are filtered into {len(layer.top)} tops"
    need(len(layer.top) == len(data), message, "top")
    message = "Selector blob dimensions must be singletons (1), except the first"
    need(prod(selector[1:]) == 1, f"{message}: {shape_text(selector)}", "bottom", len(data))
    for index, shape in enumerate(data):
        message = "Each bottom should have the same 0th dimension as the selector blob"
        need(shape[:1] == selector[:1], f"{message}: {shape_text(shape)}", "bottom", index)
    return list(data), []


def softmax(layer: LayerParameter, bottoms: Shapes) -> Result:
    axis_index(bottoms[0], layer.softmax_param.axis, "softmax_param.axis")
    return [bottoms[0]], []


def rnn(layer: LayerParameter, bottoms: Shapes) -> Result:
    size = layer.recurrent_param.num_output
    inputs, static = _recurrent(layer, bottoms, states=1)
    params: list[Shape] = [(size, inputs), (size,)]
    params += [(size, static)] if static is not None else []
    params += [(size, size), (size, size), (size,)]
    return _hidden(layer, bottoms, states=1), params


def lstm(layer: LayerParameter, bottoms: Shapes) -> Result:
    size = layer.recurrent_param.num_output
    inputs, static = _recurrent(layer, bottoms, states=2)
    params: list[Shape] = [(4 * size, inputs), (4 * size,)]
    params += [(4 * size, static)] if static is not None else []
    params += [(4 * size, size)]
    return _hidden(layer, bottoms, states=2), params


def _hidden(layer: LayerParameter, bottoms: Shapes, states: int) -> list[Shape]:
    """Outputs over all time steps and, if exposed, the states after the last one."""
    (steps, streams), size = bottoms[0][:2], layer.recurrent_param.num_output
    exposed: list[Shape] = [(1, streams, size)] * states if layer.recurrent_param.expose_hidden else []
    tops: list[Shape] = [(steps, streams, size), *exposed]
    need(len(layer.top) == len(tops), f"produces {len(tops)} tops, not {len(layer.top)}", "top")
    return tops


def _recurrent(layer: LayerParameter, bottoms: Shapes, states: int) -> tuple[int, int | None]:
    """Sizes of one step's input and of the static input, if there is one. Raises ShapeError."""
    param = layer.recurrent_param
    need(param.num_output > 0, "num_output must be positive", "recurrent_param.num_output", hint="add it")
    exposed = states if param.expose_hidden else 0
    message = f"takes {2 + exposed} or {3 + exposed} bottoms, not {len(bottoms)}"
    need(len(bottoms) in (2 + exposed, 3 + exposed), message)
    shape, marks = bottoms[0], bottoms[1]
    message = f"bottom[0] must have axes for time steps, streams and values, not {shape_text(shape)}"
    need(len(shape) >= 3, message)
    message = f"bottom[1] must be {shape[0]} {shape[1]} (time steps, streams), not {shape_text(marks)}"
    need(marks == shape[:2], message, "bottom", 1)
    static = None
    if len(bottoms) == 3 + exposed:
        message = f"static input must have axes for {shape[1]} streams and values, not "
        need(
            len(bottoms[2]) >= 2 and bottoms[2][0] == shape[1], message + shape_text(bottoms[2]), "bottom", 2
        )
        static = prod(bottoms[2][1:])
    wanted = (1, shape[1], param.num_output)
    for index in range(len(bottoms) - exposed, len(bottoms)):
        message = f"a state must be {shape_text(wanted)}, not {shape_text(bottoms[index])}"
        need(bottoms[index] == wanted, message, "bottom", index)
    return prod(shape[2:]), static


def lstm_unit(layer: LayerParameter, bottoms: Shapes) -> Result:
    cell, gates, marks = bottoms
    fits = len(cell) == 3 and cell[0] == 1 and gates == (1, cell[1], 4 * cell[2]) and marks == cell[:2]
    if not fits:
        raise ShapeError("bottoms must be (1, streams, size), (1, streams, 4 * size) and (1, streams)")
    return [cell, cell], []
