"""Layers as a deployed net has them. Pure."""

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from barista_server.caffe.blobshape import Shape
from barista_server.caffe.schema import LayerParameter

_BATCH_OF = {
    "Data": "data_param",
    "HDF5Data": "hdf5_data_param",
    "ImageData": "image_data_param",
    "MemoryData": "memory_data_param",
    "WindowData": "window_data_param",
}


def with_batch(layer: LayerParameter, batch: int | None) -> LayerParameter:
    """A data layer that gives so many items at a time; as it is for None."""
    if batch is None:
        return layer
    changed = LayerParameter()
    changed.CopyFrom(layer)
    if layer.type in _BATCH_OF:
        getattr(changed, _BATCH_OF[layer.type]).batch_size = batch
        return changed
    shapes = [*changed.input_param.shape, *changed.dummy_data_param.shape]
    first = next(
        (shape.dim[0] for shape in shapes if len(shape.dim) > 1),
        shapes[0].dim[0] if shapes and shapes[0].dim else 0,
    )
    for shape in shapes:
        if shape.dim and shape.dim[0] == first:
            shape.dim[0] = batch
    if changed.dummy_data_param.num:
        changed.dummy_data_param.num[:] = [batch] * len(changed.dummy_data_param.num)
    return changed


def input_layer(top: str, name: str, shape: Shape) -> LayerParameter:
    layer = LayerParameter(name=name, type="Input", top=[top])
    layer.input_param.shape.add().dim.extend(shape)
    return layer


def free_name(name: str, taken: set[str]) -> str:
    """The name, or one like it that is not taken."""
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name}_{number}"
    return found


def without_loss(layer: LayerParameter) -> LayerParameter:
    bare = LayerParameter()
    bare.CopyFrom(layer)
    bare.ClearField("loss_weight")
    return bare


def bare_layer(layer: LayerParameter) -> LayerParameter:
    """The layer without what only training needs: rates, fillers of parameters, ways of gradients."""
    bare = without_loss(layer)
    for name in ("propagate_down", "blobs"):
        bare.ClearField(name)
    for spec in bare.param:
        spec.ClearField("lr_mult")
        spec.ClearField("decay_mult")
    if not any(spec.ByteSize() for spec in bare.param):
        bare.ClearField("param")
    if layer.type != "DummyData":
        for block in (value for one, value in bare.ListFields() if one.type == FieldDescriptor.TYPE_MESSAGE
                      and not one.is_repeated):  # fmt: skip
            _clear_fillers(block)
    return bare


def _clear_fillers(block: Message) -> None:
    for one, _ in block.ListFields():
        if one.message_type is not None and one.message_type.name == "FillerParameter":
            block.ClearField(one.name)
