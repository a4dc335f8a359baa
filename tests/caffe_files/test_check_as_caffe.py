"""Small nets and solvers with one thing changed: the check finds what BVLC caffe 1.0 (CPU) ended at, and lets
pass what it trained with. What caffe did was found by running it on each of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from barista_server.caffe.check import check_session

from .small_project import TRAIN_DATA, change, write_project

ON = 'name: "drop" type: "Dropout" bottom: "pool" top: "pool" dropout_param { dropout_ratio: 0.5 }'
INSTEAD = 'name: "x" bottom: "pool" top: "pool" type: '
DUMMY = """layer { name: "data" type: "DummyData" top: "data" top: "label" include { phase: TRAIN }
  dummy_data_param { shape { dim: 2 dim: 1 dim: 8 dim: 8 } shape { dim: 2 } %s } }
"""

REFUSED = [
    # net.prototxt: text, in its place, part of the message
    ("batch_size: 2", "batch_size: 0", "batch_size must be positive"),
    ('source: "db" ', "", "source is not set"),
    ("backend: LMDB", "", "is not a LevelDB"),
    ("backend: LMDB", "backend: LMBD", 'Unknown enumeration value of "LMBD"'),
    ('top: "label"', 'top: "label" top: "x"', "at most 2 top blob(s)"),
    (' top: "label"', "", "Unknown bottom blob 'label'"),
    ("scale: 0.01", "crop_size: 9", "crop_size 9 is larger"),
    ('"xavier"', '"xavierr"', "Unknown filler name: xavierr"),
    ('"constant"', '"const"', "Unknown filler name: const"),
    ('"xavier"', '"gaussian" std: 0', "sigma must be above 0"),
    ('"xavier"', '"xavier" sparse: 2', "Sparsity not supported"),
    ('"xavier"', '"uniform" min: 2 max: 1', "min 2 is above max 1"),
    ("num_output: 3", 'num_output: 3 weight_filler { type: "bilinear" }', "bilinear fills blobs"),
    ("num_output: 3", "num_outputs: 3", 'no field named "num_outputs"'),
    ("num_output: 3", "num_output: 0", "num_output must be positive"),
    ("num_output: 4", "num_output: 4 group: 3", "do not divide into 3 groups"),
    ("kernel_size: 3", "kernel_size: 30", "the kernel (30) is larger"),
    ("kernel_size: 3", "", "kernel_size"),
    ("kernel_size: 3", "kernel_size: 3 kernel_size: 3 kernel_size: 3", "kernel_size must be specified once"),
    ("stride: 2", "stride: 0", "Stride dimensions cannot be zero"),
    ("stride: 2", "stride: 2 pad: 2", "pad (2) must be smaller"),
    ("dropout_ratio: 0.5", "dropout_ratio: 1.5", "dropout_ratio is 1.5"),
    ("dropout_ratio: 0.5", "dropout_ratio: -0.1", "dropout_ratio is -0.1"),
    (ON, INSTEAD + '"Poolling"', "Unknown layer type: Poolling"),
    (ON, INSTEAD + '"relu"', "Unknown layer type: relu"),
    (ON, INSTEAD + '""', "type is not set"),
    (ON, INSTEAD + '"LRN" lrn_param { local_size: 4 }', "odd values"),
    (ON, INSTEAD + '"ReLU" propagate_down: true propagate_down: true', "propagate_down"),
    (ON, INSTEAD + '"Scale" scale_param { filler { type: "q" } }', "Unknown filler name: q"),
    (ON, INSTEAD + '"Scale" scale_param { bias_term: true bias_filler { type: "q" } }', "Unknown filler"),
    (ON, INSTEAD + '"PReLU" prelu_param { filler { type: "q" } }', "Unknown filler name: q"),
    (ON, INSTEAD + '"BatchNorm" param { lr_mult: 1 }', "Cannot configure batch normalization"),
    (ON, 'name: "s" type: "Slice" bottom: "pool" top: "a" top: "b" top: "c"', "evenly divide"),
    (ON, 'name: "e" type: "Eltwise" bottom: "pool" bottom: "conv" top: "e"', "the same shape"),
    (ON, 'name: "r" type: "ReLU" bottom: "pool" top: "conv"', "produced by multiple sources"),
    ('name: "pool"', 'include { phase: TEST } name: "pool"', "Unknown bottom blob 'pool'"),
    ("include { phase: TEST }\n", 'include { phase: TEST stage: "v" }\n', "Unknown bottom blob 'data'"),
    ("include { phase: TEST } }", "include { phase: TEST } exclude { phase: TRAIN } }", "not both"),
    ('top: "loss"', 'top: "loss" softmax_param { axis: 7 }', "axis 7 out of range"),
    ('top: "loss"', 'top: "loss" loss_weight: 1 loss_weight: 2', "loss_weight must be"),
    ('bottom: "ip" bottom: "label" top: "loss"', 'bottom: "ip" top: "loss"', "takes 2 bottom blob(s)"),
    ('bottom: "ip" bottom: "label" top: "loss"', 'bottom: "conv" bottom: "label" top: "loss"', "Number of"),
    ('"SoftmaxWithLoss"', '"InfogainLoss"', "Infogain matrix source must be specified"),
    ('"SoftmaxWithLoss"', '"ContrastiveLoss"', "takes 3 bottom blob(s)"),
    ('"SoftmaxWithLoss"', '"EuclideanLoss"', "layer 'loss': "),
    ('top: "acc"', 'top: "acc" accuracy_param { top_k: 9 }', "top_k must be less"),
    (
        'layer { name: "acc"',
        'layers { name: "q" type: RELU } layer { name: "acc"',
        "both 'layer' and 'layers'",
    ),
    ('layer { name: "acc"', 'layer { name: "acc" {', "Expected identifier"),
    (TRAIN_DATA, DUMMY % 'data_filler { type: "z" }', "Unknown filler name: z"),
]
PASSED = [
    ('"xavier"', '"gaussian" sparse: 2'),
    ('"xavier"', '"uniform" min: 1 max: 1'),
    ("weight_filler {", "weight_filler { sparse: -1"),
    ("bias_filler { type:", "bias_term: false bias_filler { type: 'z' } # type:"),
    ("dropout_ratio: 0.5", "dropout_ratio: 0"),
    ('name: "drop"', 'name: "drop" include { phase: TEST }'),
    (ON, INSTEAD + '"ReLU" convolution_param { weight_filler { type: "q" } }'),
    (ON, INSTEAD + '"Scale" scale_param { bias_filler { type: "q" } }'),
    (ON, INSTEAD + '"Pooling" pooling_param { kernel_size: 1 }'),
    ('name: "drop"', 'include { stage: "x" } name: "drop"'),
    ('name: "drop"', 'name: "pool"'),
    ('name: "drop" ', ""),
    ('"SoftmaxWithLoss"', '"HingeLoss"'),
    ("scale: 0.01", "force_color: true force_gray: true"),
    ("num_output: 3", "num_output: 2"),
    (TRAIN_DATA, DUMMY % ""),
]
SOLVER_REFUSED = [
    ('"net.prototxt"', '"nope.prototxt"', "net file 'nope.prototxt' cannot be read"),
    ('net: "net.prototxt"', 'net: "net.prototxt" train_net: "net.prototxt"', "num_train_nets <= 1"),
    ("test_iter: 1", 'test_iter: 1 test_net: "net.prototxt" test_net: "net.prototxt"', "test_iter must be"),
    ("test_iter: 1", 'test_iter: 1 test_state { } test_state { stage: "b" }', "test_state must be"),
    ("test_interval: 2\n", "", "test_interval() > 0"),
    ('"snap"', '"no/snap"', "directory of snapshot_prefix 'no/snap' does not exist"),
    ('"snap"', '"picture.png/snap"', "directory of snapshot_prefix"),
    ('"fixed"', '"cosine"', "Unknown learning rate policy: cosine"),
    ('lr_policy: "fixed"', "", "Unknown learning rate policy"),
    ('"fixed"', '"step" gamma: 1', "needs stepsize"),
    ('"fixed"', '"step" gamma: 1 stepsize: 0', "stepsize > 0"),
    ('"fixed"', '"sigmoid" gamma: 1', "needs stepsize"),
    ('"fixed"', '"exp" gamma: -1', "gamma >= 0"),
    ('"fixed"', '"multistep" gamma: -1 stepvalue: 3', "gamma >= 0"),
    ("display: 1", 'type: "AdamW"', "Unknown solver type: AdamW"),
    ("display: 1", 'type: "Adam" solver_type: ADAM', "cannot be both specified"),
    ("display: 1", 'type: "AdaGrad" momentum: 0.9', "Momentum cannot be used"),
    ("display: 1", 'type: "RMSProp" rms_decay: 1.5', "rms_decay should lie between"),
    ("display: 1", 'weight_decay: 0.1 regularization_type: "L3"', "Unknown regularization type: L3"),
    ("display: 1", "average_loss: 0", "average_loss should be non-negative"),
    ("display: 1", "base_lr: 0.02", "specified multiple times"),
]
SOLVER_PASSED = [
    ("display: 1", 'regularization_type: "L3"'),
    ("display: 1", 'type: "Adam" momentum: 0.9 iter_size: 0'),
    ("test_iter: 1", "test_iter: 0"),
    ("test_iter: 1", "test_iter: 1 test_iter: 1"),
    ("max_iter: 2", "max_iter: 0"),
    ('"fixed"', '"multistep" gamma: 0.1'),
    ('"fixed"', '"poly" power: 1 gamma: -1'),
    ('"fixed"', '"exp"'),
    ('"snap"', '"."'),
    ('snapshot_prefix: "snap"\n', ""),
]


@pytest.fixture
def session(tmp_path: Path) -> Path:
    return write_project(tmp_path)


@pytest.mark.parametrize(("old", "new", "message"), REFUSED)
def test_nets_that_caffe_refuses(session: Path, old: str, new: str, message: str) -> None:
    change(session / "net.prototxt", old, new)
    errors = [problem for problem in check_session(session) if problem.severity == "error"]
    assert any(message in problem.message for problem in errors), errors
    assert all(problem.file == "net.prototxt" for problem in errors)


@pytest.mark.parametrize(("old", "new"), PASSED)
def test_nets_that_caffe_trains(session: Path, old: str, new: str) -> None:
    change(session / "net.prototxt", old, new)
    assert [problem for problem in check_session(session) if problem.severity == "error"] == []


@pytest.mark.parametrize(("old", "new", "message"), SOLVER_REFUSED)
def test_solvers_that_caffe_refuses(session: Path, old: str, new: str, message: str) -> None:
    change(session / "solver.prototxt", old, new)
    errors = [problem for problem in check_session(session) if problem.severity == "error"]
    assert any(message in problem.message for problem in errors), errors
    assert all(problem.file == "solver.prototxt" for problem in errors)


@pytest.mark.parametrize(("old", "new"), SOLVER_PASSED)
def test_solvers_that_caffe_trains_with(session: Path, old: str, new: str) -> None:
    change(session / "solver.prototxt", old, new)
    assert [problem for problem in check_session(session) if problem.severity == "error"] == []


def test_a_test_net_without_layers(session: Path) -> None:
    change(session / "solver.prototxt", 'net: "net', 'test_net: "empty.prototxt" train_net: "net')
    (session / "empty.prototxt").write_text('name: "empty"')
    (problem,) = check_session(session)
    assert (problem.file, problem.message) == ("empty.prototxt", "no layer is in the TEST net")


def test_a_stage_that_the_solver_gives(session: Path) -> None:
    change(session / "net.prototxt", "include { phase: TEST }\n", 'include { phase: TEST stage: "v" }\n')
    change(session / "solver.prototxt", "test_iter: 1", 'test_iter: 1 test_state { stage: "v" }')
    assert check_session(session) == []


def test_a_net_inside_the_solver(session: Path) -> None:
    net = (session / "net.prototxt").read_text()
    change(session / "solver.prototxt", 'net: "net.prototxt"', "net_param {\n" + net + "}")
    assert check_session(session) == []
    change(session / "solver.prototxt", 'bottom: "pool" top: "ip"', 'bottom: "pol" top: "ip"')
    problem = check_session(session)[0]
    assert problem.file == "solver.prototxt" and problem.message.startswith("Unknown bottom blob 'pol'")


def test_old_layers_inside_the_solver_are_not_brought_up_to_date(session: Path) -> None:
    old = 'net_param { layers { name: "r" type: RELU bottom: "x" top: "x" } }'
    change(session / "solver.prototxt", 'net: "net.prototxt"', old)
    problem = check_session(session)[0]
    assert problem.message == "no layer is in the TRAIN net" and "old layers inside a solver" in problem.hint
