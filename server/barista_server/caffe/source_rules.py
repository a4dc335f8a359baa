"""Shapes of layers that bring data into a net, from their text and from what their source holds."""

from collections.abc import Callable, Sequence

from barista_server.caffe.blobshape import Shape, need
from barista_server.caffe.schema import LayerParameter

Stored = Callable[[LayerParameter], Sequence[Shape] | None]
"""What a data layer's source holds, None where that is not known.

Data, ImageData, WindowData: one shape, (channels, height, width) of the first record; HDF5Data: the
shape of each top's dataset in the first file.
"""

Shapes = list[Shape]


def unknown(layer: LayerParameter) -> Sequence[Shape] | None:
    """A Stored that knows nothing."""
    return None


def given(layer: LayerParameter, stored: Stored) -> Shapes | None:
    """Input: one shape for all tops or one each; none at all leaves the tops empty."""
    shapes = [tuple(shape.dim) for shape in layer.input_param.shape]
    message = f"Must specify 'shape' once, once per top blob, or not at all: {len(layer.top)} tops vs. "
    need(len(shapes) in (0, 1, len(layer.top)), f"{message}{len(shapes)} shapes.", "input_param.shape")
    if not shapes:
        return None
    return _each(shapes, len(layer.top))


def dummy(layer: LayerParameter, stored: Stored) -> Shapes | None:
    """DummyData: shape, or the older num, channels, height and width."""
    param, tops = layer.dummy_data_param, len(layer.top)
    message = f"Number of data fillers must be 0, 1 or equal to the number of tops: {tops}; you specified "
    fillers = len(param.data_filler)
    need(fillers in (0, 1, tops), f"{message}{fillers} data fillers.", "dummy_data_param.data_filler")
    names = ("num", "channels", "height", "width")
    legacy = [list(getattr(param, name)) for name in names]
    if not any(legacy):
        message = f"Must specify 'shape' once, or once per top blob ({tops}); specified {len(param.shape)}."
        need(len(param.shape) in (1, tops), message, "dummy_data_param.shape")
        return _each([tuple(shape.dim) for shape in param.shape], tops)
    message = "Both shape and legacy fields were specified"
    need(not param.shape, message, "dummy_data_param.shape")
    for name, values in zip(names, legacy, strict=True):
        message = f"Must specify '{name}' once, or once per top blob ({tops}); specified {len(values)}."
        need(len(values) in (1, tops), message, f"dummy_data_param.{name}")
    columns = [values if len(values) == tops else values * tops for values in legacy]
    return list(zip(*columns, strict=True))


def memory(layer: LayerParameter, stored: Stored) -> Shapes | None:
    """MemoryData: data and labels."""
    param = layer.memory_data_param
    data = (param.batch_size, param.channels, param.height, param.width)
    message = "batch_size, channels, height, and width must be specified and positive in memory_data_param"
    need(min(data) > 0, message, "memory_data_param")
    return [data, (param.batch_size,)]


def parameter(layer: LayerParameter, stored: Stored) -> Shapes | None:
    """Parameter: the blob it holds."""
    return [tuple(layer.parameter_param.shape.dim)]


def database(layer: LayerParameter, stored: Stored) -> Shapes | None:
    """Data: the first record, cropped."""
    return _records(layer, stored(layer), layer.data_param.batch_size, "data_param")


def images(layer: LayerParameter, stored: Stored) -> Shapes | None:
    """ImageData: the size asked for or that of the first image, cropped."""
    param = layer.image_data_param
    message = "Current implementation requires new_height and new_width to be set at the same time."
    need((param.new_height > 0) == (param.new_width > 0), message, "image_data_param.new_height")
    held: Sequence[Shape] | None
    if param.new_height:
        held = [(3 if param.is_color else 1, param.new_height, param.new_width)]
    else:
        held = stored(layer)
    return _records(layer, held, param.batch_size, "image_data_param")


def windows(layer: LayerParameter, stored: Stored) -> Shapes | None:
    """WindowData: windows warped to the crop size."""
    crop = layer.transform_param.crop_size
    message = "crop_size must be positive: windows are warped to it"
    need(crop > 0, message, "transform_param.crop_size", hint="add crop_size to transform_param")
    held = stored(layer)
    sized = None if held is None else [(held[0][0], crop, crop)]
    return _records(layer, sized, layer.window_data_param.batch_size, "window_data_param")


def hdf5(layer: LayerParameter, stored: Stored) -> Shapes | None:
    """HDF5Data: the datasets with a batch in place of their rows."""
    message = "HDF5Data does not transform data."
    refused = layer.HasField("transform_param")
    need(not refused, message, "transform_param", hint="take transform_param out")
    batch = _batch(layer.hdf5_data_param.batch_size, "hdf5_data_param")
    held = stored(layer)
    if held is None:
        return None
    need(all(held), "Input must have at least 1 axis.", "hdf5_data_param.source")
    rows = [shape[0] for shape in held]
    message = f"datasets must have as many rows: {', '.join(map(str, rows))}"
    need(len(set(rows)) <= 1, message, "hdf5_data_param.source")
    return [(batch, *shape[1:]) for shape in held]


def _records(
    layer: LayerParameter, held: Sequence[Shape] | None, batch_size: int, block: str
) -> Shapes | None:
    batch = _batch(batch_size, block)
    if held is None:
        return None
    channels, height, width = held[0]
    crop = layer.transform_param.crop_size
    message = f"crop_size {crop} is larger than the records ({channels} x {height} x {width})"
    need(crop <= min(height, width), message, "transform_param.crop_size", hint="a smaller crop_size")
    data = (batch, channels, crop or height, crop or width)
    return [data, (batch,)][: len(layer.top)]


def _batch(size: int, block: str) -> int:
    need(size > 0, "batch_size must be positive", f"{block}.batch_size", hint="add batch_size: 64")
    return size


def _each(shapes: Shapes, tops: int) -> Shapes:
    return shapes if len(shapes) == tops else shapes * tops
