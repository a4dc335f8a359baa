"""Layers that bring data in."""

from __future__ import annotations

import math

import h5py
import torch

from barista_engine.errors import CheckFailed, check_blob, check_equal
from barista_engine.fillers import check_filler, fill
from barista_engine.interfaces import Shape
from barista_engine.layers.registry import Built, Context, layer
from barista_server.caffe.schema import FillerParameter


@layer("Data", bottoms=0, tops=(1, 2))
@layer("HDF5Data", bottoms=0, tops=(1, None))
@layer("ImageData", bottoms=0, tops=2)
@layer("WindowData", bottoms=0, tops=2)
def data(ctx: Context) -> Built:
    """Batches from a source that somebody else reads: one tensor a top."""
    source = ctx.source or ctx.sources(ctx.spec, ctx.spec.phase, ctx.tops)
    source.set_up()
    device = ctx.device

    def forward() -> tuple[torch.Tensor, ...]:
        return tuple(blob.to(device, non_blocking=True) for blob in source.next())

    return list(source.shapes), forward


@layer("Input", bottoms=0, tops=(1, None))
def input_(ctx: Context) -> Built:
    """Blobs set from outside (`Net.set_input`), zeros until then: the net keeps them, nothing is computed."""
    shapes = [tuple(int(d) for d in s.dim) for s in ctx.spec.input_param.shape]
    ctx.check(bool(shapes), "data_", f"layer '{ctx.spec.name}' has no shape: nothing is in it", 133)
    tops, have = ctx.tops, len(shapes)
    message = f"Must specify 'shape' once, once per top blob, or not at all: {tops} tops vs. {have} shapes."
    ctx.check(have in (1, tops), "num_shape == 0 || num_shape == 1 || num_shape == num_top", message, 13)
    shapes = shapes * tops if have == 1 else shapes
    for shape in shapes:
        check_blob(shape)
    zeros = tuple(torch.zeros(shape, device=ctx.device) for shape in shapes)
    return shapes, lambda: zeros


@layer("DummyData", bottoms=0, tops=(1, None))
def dummy_data(ctx: Context) -> Built:
    """Filled blobs; those with a random filler are filled anew for every batch."""
    fillers = list(ctx.spec.dummy_data_param.data_filler)
    tops, have = ctx.tops, len(fillers)
    message = (
        f"Number of data fillers must be 0, 1 or equal to the number of tops: {tops}; you specified {have}"
    )
    numbers = "num_data_filler == 0 || num_data_filler == 1 || num_data_filler == num_top"
    ctx.check(have in (0, 1, tops), numbers, f"{message} data fillers.", 14)
    shapes = _dummy_shapes(ctx)
    for shape in shapes:
        check_blob(shape)
    for filler in fillers:
        check_filler(filler)
    fillers = fillers or [FillerParameter()]
    fillers = fillers * ctx.tops if len(fillers) == 1 else fillers
    device, stream = ctx.device, ctx.stream
    pairs = list(zip(fillers, shapes, strict=True))
    fixed = [fill(f, s, stream).to(device) if f.type == "constant" else None for f, s in pairs]

    def forward() -> tuple[torch.Tensor, ...]:
        return tuple(
            fill(f, s, stream).to(device) if blob is None else blob
            for (f, s), blob in zip(pairs, fixed, strict=True)
        )

    return shapes, forward


@layer("MemoryData", bottoms=0, tops=2)
def memory_data(ctx: Context) -> Built:
    """Data that a program hands over. On the command line none does: the first pass fails as in Caffe."""
    p = ctx.spec.memory_data_param
    shape = p.batch_size, p.channels, p.height, p.width
    message = "batch_size, channels, height, and width must be specified and positive in memory_data_param"
    ctx.check(min(shape) > 0, f"batch_size_ * size_ > 0 ({math.prod(shape)} vs. 0)", message, 19)

    def forward() -> tuple[torch.Tensor, ...]:
        raise ctx.failed("Check failed: data_ MemoryDataLayer needs to be initialized by calling Reset", 110)

    return [shape, (p.batch_size,)], forward


@layer("HDF5Output", bottoms=2, tops=0)
def hdf5_output(ctx: Context) -> Built:
    """Saves its bottoms as the datasets `data` and `label`, of four axes; there is room for one batch."""
    path = ctx.spec.hdf5_output_param.file_name
    shapes = [ctx.legacy_dims(i) for i in range(2)]
    rows = [shape[0] for shape in shapes]
    names = "bottom[0]->num()", "bottom[1]->num()"
    check_equal(names[0], rows[0], names[1], rows[1], "", "hdf5_output_layer.cpp", 45)
    try:
        h5py.File(path, "w").close()
    except OSError as error:
        message = f"Check failed: file_id_ >= 0 (-1 vs. 0) Failed to open HDF5 file{path}"
        raise CheckFailed(message, "hdf5_output_layer.cpp", 18, str(error)) from None

    def forward(data: torch.Tensor, label: torch.Tensor) -> tuple[torch.Tensor, ...]:
        ctx.log.info("hdf5_output_layer.cpp:33", f"Saving HDF5 file {path}")
        try:
            with h5py.File(path, "a") as file:
                for name, blob, shape in zip(("data", "label"), (data, label), shapes, strict=True):
                    file.create_dataset(name, data=blob.detach().cpu().numpy().reshape(shape))
        except (OSError, ValueError) as error:
            failed = "Check failed: status >= 0 (-1 vs. 0) Failed to make float dataset data"
            hint = f"{path} has room for one batch: run one iteration ({error})"
            raise CheckFailed(failed, "hdf5.cpp", 124, hint) from None
        ctx.log.info("hdf5_output_layer.cpp:38", f"Successfully saved {rows[0]} rows")
        return ()

    return [], forward


def _dummy_shapes(ctx: Context) -> list[Shape]:
    p = ctx.spec.dummy_data_param
    legacy = {"num": p.num, "channels": p.channels, "height": p.height, "width": p.width}
    if any(legacy.values()):
        message = "Both shape and legacy fields were specified"
        check_equal("0", 0, "param.shape_size()", len(p.shape), message, "dummy_data_layer.cpp", 22)
        for i, (name, values) in enumerate(legacy.items()):
            _check_number(ctx, name, len(values), 25 + 3 * i)
        return [tuple(v[i if len(v) > 1 else 0] for v in legacy.values()) for i in range(ctx.tops)]
    _check_number(ctx, "shape", len(p.shape), 38)
    shapes = [tuple(int(d) for d in s.dim) for s in p.shape]
    return shapes * ctx.tops if len(shapes) == 1 else shapes


def _check_number(ctx: Context, name: str, have: int, line: int) -> None:
    message = f"Must specify '{name}' once, or once per top blob ({ctx.tops}); specified {have}."
    ctx.check(
        have in (1, ctx.tops), f"param.{name}_size() == 1 || param.{name}_size() == num_top", message, line
    )
