"""What a training will need before it is started: memory, and the largest batch that has room."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from barista_server.caffe.memory import Device, LayerMemory, net_memory, solver_bytes
from barista_server.caffe.net import layer_is_in
from barista_server.caffe.schema import TEST, LayerParameter, NetParameter, SolverParameter
from barista_server.caffe.shapes import net_shapes
from barista_server.caffe.source_rules import Stored, unknown

MOST = 1 << 20
"""Largest batch that is looked for."""

_BLOCKS = {
    "Data": "data_param",
    "HDF5Data": "hdf5_data_param",
    "ImageData": "image_data_param",
    "MemoryData": "memory_data_param",
    "WindowData": "window_data_param",
}


@dataclass(frozen=True, slots=True)
class Preflight:
    """An estimate for one CPU process or one GPU, in bytes; see memory for what it leaves out.

    parameters: their values, with as much again for their gradients; solver: what it keeps of them; train,
    tests: blobs and workspaces of the train net and of all test nets, which live beside it; snapshot: what
    writing one takes for a moment in main memory, where a copy is grown. batch: of the train net's first data
    layer now, None if there is none; largest: the largest one that fits into the free bytes, 0 if none does,
    None if not asked or if another batch would make the net invalid.
    """

    parameters: int
    solver: int
    train: int
    tests: int
    snapshot: int
    batch: int | None = None
    largest: int | None = None

    @property
    def total(self) -> int:
        """What training takes all the time."""
        return 2 * self.parameters + self.solver + self.train + self.tests


def preflight(
    train: NetParameter,
    tests: Sequence[NetParameter],
    solver: SolverParameter,
    free: int | None = None,
    device: Device = "cpu",
    stored: Stored = unknown,
) -> Preflight | None:
    """Estimate a training with nets whose state is merged in; None if a shape is not known.

    free: bytes that the training may take; on a CPU a snapshot has to find room in them too. Data layers keep
    their proportions when another batch is tried.
    """
    built = [net_shapes(net, stored=stored) for net in (train, *tests)]
    if not all(shapes.complete for shapes in built):
        return None
    parameters = built[0].param_bytes
    l1 = solver.regularization_type == "L1" and solver.weight_decay != 0
    kept = solver_bytes(solver.type, parameters, l1, device)
    sizes = [
        blob_bytes(net_memory(net, shapes, net.state.phase != TEST, stored))
        for net, shapes in zip((train, *tests), built, strict=True)
    ]
    estimate = Preflight(parameters, kept, sizes[0], sum(sizes[1:]), 3 * max(parameters, kept) // 2)
    batch = batch_of(train)
    if batch is None or free is None:
        return replace(estimate, batch=batch)
    rest = estimate.total - estimate.train + (estimate.snapshot if device == "cpu" else 0)
    return replace(estimate, batch=batch, largest=_largest(train, batch, free - rest, stored))


def blob_bytes(layers: Sequence[LayerMemory]) -> int:
    """All that the layers add."""
    return sum(layer.total for layer in layers)


def batch_of(net: NetParameter) -> int | None:
    """Batch of the first data layer that has one."""
    return next((batch for layer in _sources(net) for batch in _batches(layer)), None)


def with_batch(net: NetParameter, batch: int) -> NetParameter:
    """The net with this batch in its first data layer, and those of others in proportion."""
    changed = NetParameter()
    changed.CopyFrom(net)
    now = batch_of(net) or 1
    for layer in _sources(changed):
        _scale(layer, lambda size: max(1, size * batch // now))
    return changed


def _largest(net: NetParameter, now: int, room: int, stored: Stored) -> int | None:
    """The largest batch whose blobs have room; None if the net stands no other batch."""

    def need(batch: int) -> int | None:
        changed = with_batch(net, batch)
        shapes = net_shapes(changed, stored=stored)
        return blob_bytes(net_memory(changed, shapes, True, stored)) if shapes.complete else None

    if need(2 * now) is None and need(now + 1) is None:
        return None
    low, high = 0, 1  # low has room
    while high <= MOST and _fits(need(high), room):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _fits(need(middle), room) else (low, middle)
    return min(low, MOST)


def _fits(need: int | None, room: int) -> bool:
    return need is not None and need <= room


def _sources(net: NetParameter) -> Iterator[LayerParameter]:
    """Layers that are in the net and bring data into it."""
    for layer in net.layer:
        if (layer.type in _BLOCKS or layer.type in ("DummyData", "Input")) and layer_is_in(
            layer, net.state, []
        ):
            yield layer


def _batches(layer: LayerParameter) -> list[int]:
    found: list[int] = []

    def note(size: int) -> int:
        found.append(size)
        return size

    _scale(layer, note)
    return found


def _scale(layer: LayerParameter, change: Callable[[int], int]) -> None:
    """Put what change gives in place of each batch of a data layer."""
    if layer.type in _BLOCKS:
        block = getattr(layer, _BLOCKS[layer.type])
        block.batch_size = change(block.batch_size)
        return
    param = layer.dummy_data_param if layer.type == "DummyData" else layer.input_param
    for shape in param.shape:
        if shape.dim:
            shape.dim[0] = change(shape.dim[0])
    if layer.type == "DummyData":
        for position, size in enumerate(layer.dummy_data_param.num):
            layer.dummy_data_param.num[position] = change(size)
