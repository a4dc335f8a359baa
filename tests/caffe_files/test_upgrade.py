"""Old forms of nets come out as the current form, and Caffe's messages about it are told."""

from pathlib import Path

import numpy as np
import pytest

from barista_server.caffe import prototxt
from barista_server.caffe.errors import NetError, WeightsError
from barista_server.caffe.net import load_net
from barista_server.caffe.schema import NetParameter, V1LayerParameter
from barista_server.caffe.upgrade import upgrade_net
from barista_server.caffe.weights import array_to_blob, read_weights


def net_of(text: str) -> NetParameter:
    return prototxt.parse(text, NetParameter)


V0 = """name: "old" force_backward: true
input: "data" input_dim: 2 input_dim: 3 input_dim: 8 input_dim: 8
layers { layer { name: "pad1" type: "padding" pad: 2 } bottom: "data" top: "pad1" }
layers {
  layer {
    name: "conv1" type: "conv" num_output: 4 kernelsize: 5 stride: 2 group: 1 biasterm: false
    weight_filler { type: "xavier" } blobs_lr: 1. weight_decay: 1.
  }
  bottom: "pad1" top: "conv1"
}
layers { layer { name: "pool1" type: "pool" pool: AVE kernelsize: 3 pad: 1 } bottom: "conv1" top: "pool1" }
layers { layer { name: "norm1" type: "lrn" local_size: 3 alpha: 0.5 beta: 0.25 k: 2 }
  bottom: "pool1" top: "norm1" }
layers { layer { name: "drop" type: "dropout" dropout_ratio: 0.2 } bottom: "norm1" top: "norm1" }
layers { layer { name: "cat" type: "concat" concat_dim: 0 } bottom: "norm1" bottom: "pool1" top: "cat" }
layers { layer { name: "ip" type: "innerproduct" num_output: 10 bias_filler { value: 1 } }
  bottom: "cat" top: "ip" }
layers { layer { name: "prob" type: "softmax" } bottom: "ip" top: "prob" }
"""
V0_NOW = """name: "old" force_backward: true
layer { name: "input" type: "Input" top: "data"
  input_param { shape { dim: 2 dim: 3 dim: 8 dim: 8 } } }
layer {
  name: "conv1" type: "Convolution" bottom: "data" top: "conv1" param { lr_mult: 1 decay_mult: 1 }
  convolution_param {
    num_output: 4 bias_term: false pad: 2 kernel_size: 5 group: 1 stride: 2
    weight_filler { type: "xavier" }
  }
}
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
  pooling_param { pool: AVE kernel_size: 3 pad: 1 } }
layer { name: "norm1" type: "LRN" bottom: "pool1" top: "norm1"
  lrn_param { local_size: 3 alpha: 0.5 beta: 0.25 k: 2 } }
layer { name: "drop" type: "Dropout" bottom: "norm1" top: "norm1" dropout_param { dropout_ratio: 0.2 } }
layer { name: "cat" type: "Concat" bottom: "norm1" bottom: "pool1" top: "cat"
  concat_param { concat_dim: 0 } }
layer { name: "ip" type: "InnerProduct" bottom: "cat" top: "ip"
  inner_product_param { num_output: 10 bias_filler { value: 1 } } }
layer { name: "prob" type: "Softmax" bottom: "ip" top: "prob" }
"""


def test_v0_layers_become_current_ones(tmp_path: Path) -> None:
    path = tmp_path / "old.prototxt"
    path.write_text(V0)
    notes: list[str] = []
    assert load_net(path, notes) == net_of(V0_NOW)
    assert notes == [
        f"Attempting to upgrade input file specified using deprecated V0LayerParameter: {path}",
        "Successfully upgraded file specified using deprecated V0LayerParameter",
        "Note that future Caffe releases will not support V0NetParameter; use "
        "./build/tools/upgrade_net_proto_text for prototxt and ./build/tools/upgrade_net_proto_binary "
        "for model weights upgrade this and any other net protos to the new format.",
        f"Attempting to upgrade input file specified using deprecated V1LayerParameter: {path}",
        "Successfully upgraded file specified using deprecated V1LayerParameter",
        f"Attempting to upgrade input file specified using deprecated input fields: {path}",
        "Successfully upgraded file specified using deprecated input fields.",
        "Note that future Caffe releases will only support input layers and not input fields.",
    ]


@pytest.mark.parametrize(
    ("kind", "settings", "now"),
    [
        (
            "data",
            'source: "db" batchsize: 5 meanfile: "m" cropsize: 4 mirror: true scale: 2 rand_skip: 3',
            'type: "Data" data_param { source: "db" batch_size: 5 rand_skip: 3 } '
            'transform_param { scale: 2 mirror: true crop_size: 4 mean_file: "m" }',
        ),
        (
            "images",
            'source: "l" batchsize: 5 shuffle_images: true new_height: 6 new_width: 7',
            'type: "ImageData" image_data_param '
            '{ source: "l" batch_size: 5 shuffle: true new_height: 6 new_width: 7 }',
        ),
        (
            "window_data",
            'source: "w" batchsize: 5 det_fg_threshold: 0.25 det_bg_threshold: 0.125 det_fg_fraction: 0.5 '
            'det_context_pad: 16 det_crop_mode: "square"',
            'type: "WindowData" window_data_param { source: "w" batch_size: 5 fg_threshold: 0.25 '
            'bg_threshold: 0.125 fg_fraction: 0.5 context_pad: 16 crop_mode: "square" }',
        ),
        (
            "hdf5_data",
            'source: "h" batchsize: 5',
            'type: "HDF5Data" hdf5_data_param { source: "h" batch_size: 5 }',
        ),
        (
            "hdf5_output",
            'hdf5_output_param { file_name: "f" }',
            'type: "HDF5Output" hdf5_output_param { file_name: "f" }',
        ),
        (
            "infogain_loss",
            'source: "H"',
            'type: "InfogainLoss" infogain_loss_param { source: "H" }',
        ),
    ],
)
def test_flat_fields_go_where_they_belong(kind: str, settings: str, now: str) -> None:
    net = net_of(f'layers {{ layer {{ name: "x" type: "{kind}" {settings} }} top: "a" }}')
    notes = upgrade_net(net)
    assert net == net_of(f'layer {{ name: "x" top: "a" {now} }}')
    assert not any("Unknown parameter" in note for note in notes)


def test_fields_of_another_type_are_told_and_left_out() -> None:
    net = net_of(
        'layers { layer { name: "r" type: "relu" num_output: 3 shuffle_images: true new_num: 3 } top: "a" }'
    )
    notes = upgrade_net(net)
    assert net == net_of('layer { name: "r" type: "ReLU" top: "a" }')
    assert notes[1:4] == [
        "Unknown parameter num_output for layer type relu",
        "Unknown parameter shuffle for layer type relu",
        "Warning: had one or more problems upgrading V0NetParameter to NetParameter (see above); "
        "continuing anyway.",
    ]


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ('layers { layer { name: "a" type: "convv" } }', "Unknown layer name: convv"),
        ('layers { layer { name: "a" type: "relu" } bottom: "x" }', "Unknown blob input x to layer 0"),
        (
            'layers { layer { name: "p" type: "padding" } bottom: "x" top: "p" } '
            'layers { layer { name: "a" type: "relu" } bottom: "p" }',
            "Padding layer input to non-convolutional / non-pooling layer type relu",
        ),
        (
            'layers { layer { name: "p" type: "padding" } bottom: "x" top: "p" } '
            'layers { layer { name: "a" type: "conv" } bottom: "p" bottom: "x" }',
            "Conv Layer takes a single blob as input.",
        ),
        ('layers { name: "a" type: RELU } layer { }', "includes both 'layer' and 'layers' fields"),
        ('layers { layer { name: "a" type: "relu" } } layer { }', "both 'layer' and 'layers' fields"),
    ],
)
def test_what_cannot_be_upgraded_is_refused(layers: str, message: str) -> None:
    known = "" if "Unknown blob" in message else 'input: "x" '
    with pytest.raises(NetError, match=message) as caught:
        upgrade_net(net_of(known + layers))
    assert caught.value.layer == "a"


def test_v1_settings_of_parameters_become_param_blocks() -> None:
    net = net_of(
        """state { phase: TRAIN stage: "s" } debug_info: true
        layers { bottom: "x" top: "y" name: "c" type: CONVOLUTION blobs_lr: 1 blobs_lr: 2 weight_decay: 0
          param: "w" param: "b" param: "z" blob_share_mode: PERMISSIVE loss_weight: 0.5
          include { phase: TRAIN stage: "s" } exclude { min_level: 2 }
          convolution_param { num_output: 3 } }"""
    )
    notes = upgrade_net(net, "f")
    assert net == net_of(
        """state { phase: TRAIN stage: "s" } debug_info: true
        layer { bottom: "x" top: "y" name: "c" type: "Convolution"
          param { name: "w" lr_mult: 1 decay_mult: 0 share_mode: PERMISSIVE } param { name: "b" lr_mult: 2 }
          param { name: "z" } loss_weight: 0.5 include { phase: TRAIN stage: "s" } exclude { min_level: 2 }
          convolution_param { num_output: 3 } }"""
    )
    assert len(notes) == 2


def test_old_transform_settings_move_in_v1_layers_only() -> None:
    net = net_of(
        """layers { name: "d" type: DATA data_param { source: "s" scale: 2 mirror: true crop_size: 3
            mean_file: "m" } }
        layers { name: "i" type: IMAGE_DATA }
        layers { name: "r" type: RELU }"""
    )
    notes = upgrade_net(net, "f")
    assert net == net_of(
        """layer { name: "d" type: "Data" data_param { source: "s" }
            transform_param { scale: 2 mirror: true crop_size: 3 mean_file: "m" } }
        layer { name: "i" type: "ImageData" image_data_param { } transform_param { } }
        layer { name: "r" type: "ReLU" }"""
    )
    assert notes[:3] == [
        "Attempting to upgrade input file specified using deprecated transformation parameters: f",
        "Successfully upgraded file specified using deprecated data transformation parameters.",
        "Note that future Caffe releases will only support transform_param messages for "
        "transformation fields.",
    ]
    current = net_of('layer { type: "Data" data_param { scale: 2 } }')
    assert upgrade_net(current) == [] and current.layer[0].data_param.scale == 2


def test_every_v1_type_has_its_current_name() -> None:
    names = V1LayerParameter.LayerType.keys()
    net = net_of("".join(f"layers {{ type: {name} }} " for name in names))
    upgrade_net(net)
    now = """AbsVal Accuracy ArgMax BNLL Concat ContrastiveLoss Convolution Data Deconvolution Dropout
        DummyData Eltwise EuclideanLoss Exp Flatten HDF5Data HDF5Output HingeLoss Im2col ImageData
        InfogainLoss InnerProduct LRN MVN MemoryData MultinomialLogisticLoss Pooling Power ReLU Sigmoid
        SigmoidCrossEntropyLoss Silence Slice Softmax SoftmaxWithLoss Split TanH Threshold WindowData"""
    assert {layer.type for layer in net.layer} == {"", *now.split()}


@pytest.mark.parametrize("form", ["V0", "V1"])
def test_old_binary_weights_are_read(tmp_path: Path, form: str) -> None:
    net = NetParameter(name="old")
    layer = net.layers.add(bottom=["x"], top=["y"])
    net.input.append("x")
    if form == "V0":
        layer.layer.name, layer.layer.type, layer.layer.num_output = "ip", "innerproduct", 2
    else:
        layer.name, layer.type = "ip", V1LayerParameter.INNER_PRODUCT
        layer.inner_product_param.num_output = 2
    blob = array_to_blob(np.arange(6))
    blob.ClearField("shape")
    blob.num = blob.channels = 1
    blob.height, blob.width = 2, 3
    (layer.layer if form == "V0" else layer).blobs.append(blob)
    path = tmp_path / "old.caffemodel"
    path.write_bytes(net.SerializeToString())
    weights = read_weights(path)
    assert weights.layers["ip"][0].tolist() == [[[[0, 1, 2], [3, 4, 5]]]]
    assert weights.params == [
        *net_of('layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y" '
                "inner_product_param { num_output: 2 } }").layer
    ]  # fmt: skip

    net.layer.add(name="new")
    path.write_bytes(net.SerializeToString())
    with pytest.raises(WeightsError, match="both 'layer' and 'layers'"):
        read_weights(path)
