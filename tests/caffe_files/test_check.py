"""The check before a start: each fault is named with file, line and a way out; sound sessions pass."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from barista_server.caffe.check import Problem, check_session
from barista_server.caffe.schema import Datum
from barista_server.data.lmdb_io import key_of, write_datums

from .small_project import change

GOLDEN = Path(__file__).parent.parent / "fixtures/golden/solvers"

SOLVER = """net: "net.prototxt"
test_iter: 2
test_interval: 5
base_lr: 0.1
lr_policy: "fixed"
max_iter: 10
snapshot_prefix: "snap"
"""
NET = """layer {
  name: "data" type: "Data" top: "data" top: "label"
  data_param {
    source: "db"
    batch_size: 2
    backend: LMDB
  }
}
layer {
  name: "ip"
  type: "InnerProduct"
  bottom: "data"
  top: "ip"
  inner_product_param { num_output: 3 }
}
layer { name: "loss" type: "SoftmaxWithLoss" include { phase: TRAIN } bottom: "ip" bottom: "label" }
layer {
  name: "acc" type: "Accuracy" include { phase: TEST }
  bottom: "ip"
  bottom: "label"
  top: "acc"
}
"""


@pytest.fixture
def session(tmp_path: Path) -> Path:
    """A sound session: solver, net and an LMDB."""
    (tmp_path / "solver.prototxt").write_text(SOLVER)
    (tmp_path / "net.prototxt").write_text(NET)
    datum = Datum(channels=1, height=1, width=1, data=b"x", label=1)
    write_datums(tmp_path / "db", [(key_of(0), datum)])
    return tmp_path


def only(problems: list[Problem]) -> Problem:
    assert len(problems) == 1, problems
    return problems[0]


def without_inputs(problems: list[Problem]) -> list[Problem]:
    """Less the warning that nothing fills the Input layer of a small net."""
    return [problem for problem in problems if "nothing fills an Input layer" not in problem.message]


def test_a_sound_session_has_no_problems(session: Path) -> None:
    assert check_session(session) == []


def test_golden_sessions_have_no_problems(tmp_path: Path) -> None:
    shutil.copytree(GOLDEN, tmp_path / "golden")
    for solver in GOLDEN.glob("*_solver.prototxt"):
        assert check_session(tmp_path / "golden", solver.name) == []


@pytest.mark.parametrize(
    ("old", "new", "line", "message", "hint"),
    [
        ("base_lr", "base_lrr", 4, 'no field named "base_lrr"', 'did you mean "base_lr"?'),
        ('net: "net.prototxt"', "", None, "must specify a train net", 'add net: "net.prototxt"'),
        ("net.prototxt", "gone.prototxt", 1, "net file 'gone.prototxt' cannot be read: No such file", ""),
        ("test_interval: 5", "", None, "test_interval() > 0", "test_iter asks for tests: say how often"),
        (
            "test_interval: 5",
            "test_interval: -5",
            3,
            "test_interval() > 0 (-5 vs. 0)",
            "test_iter asks for tests",
        ),
        ('"fixed"', '"stepp"', 5, "Unknown learning rate policy: stepp", "one of fixed, step"),
        ('"fixed"', '"step" gamma: 0.1', 5, "lr_policy 'step' needs stepsize", "add stepsize"),
        ('"snap"', '"no/snap"', 7, "directory of snapshot_prefix 'no/snap' does not exist", "create "),
        ("max_iter", 'type: "Adamm" max_iter', 6, "Unknown solver type: Adamm", "one of SGD"),
        (
            "max_iter",
            'type: "AdaGrad" momentum: 0.9 max_iter',
            6,
            "Momentum cannot be used with AdaGrad",
            "take",
        ),
        (
            "max_iter",
            'weights: "a.caffemodel" max_iter',
            6,
            "weights file 'a.caffemodel' does not exist",
            "correct",
        ),
    ],
)
def test_faults_of_a_solver(
    session: Path, old: str, new: str, line: int | None, message: str, hint: str
) -> None:
    change(session / "solver.prototxt", old, new)
    problem = next(problem for problem in check_session(session) if message in problem.message)
    assert (problem.file, problem.line, problem.severity) == ("solver.prototxt", line, "error")
    assert problem.hint.startswith(hint) and bool(problem.hint) == bool(hint)


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("max_iter: 10", "", None, "nothing will be trained"),
        ("test_iter: 2\n", "", 2, "nothing will be tested"),
        ("base_lr: 0.1", "", None, "the learning rate would be 0"),
        ('"fixed"', '"inv" gamma: 1', 5, "needs power"),
    ],
)
def test_what_caffe_lets_pass_is_a_warning(
    session: Path, old: str, new: str, line: int | None, message: str
) -> None:
    change(session / "solver.prototxt", old, new)
    problem = only(check_session(session))
    assert message in problem.message
    assert (problem.line, problem.severity) == (line, "warning")


@pytest.mark.parametrize(
    ("old", "new", "line", "message", "hint"),
    [
        ('"ip"\n  type', '"data"\n  type', 10, "two layers 'data' in one net", "rename one"),
        (
            'bottom: "data"',
            'bottom: "dat"',
            12,
            "Unknown bottom blob 'dat' (layer 'ip', bottom index 0)",
            "did you",
        ),
        (
            '  bottom: "label"\n',
            '  bottom: "ip2"\n',
            20,
            "Unknown bottom blob 'ip2' (layer 'acc', bottom index 1)",
            "did",
        ),
        ('"db"', '"no-db"', 4, "layer 'data': 'no-db' does not exist", "correct the path, or put it at "),
        ("    backend: LMDB\n", "", 4, "'db' is not a LevelDB", "add backend: LMDB"),
        ("    batch_size: 2\n", "", 3, "batch_size must be positive", "add batch_size: 64"),
        ("include {", "exclude { } include {", 16, "either include rules or exclude rules", "keep one kind"),
        ("bottom", "botom", 12, 'no field named "botom"', 'did you mean "bottom"?'),
        ("layer {", "layers {} layer {", None, "includes both 'layer' and 'layers'", "write every layer"),
        (
            "data_param",
            'transform_param { mean_file: "m" } data_param',
            3,
            "'m' does not exist",
            "correct the path, or put it at ",
        ),
    ],
)
def test_faults_of_a_net(
    session: Path, old: str, new: str, line: int | None, message: str, hint: str
) -> None:
    change(session / "net.prototxt", old, new)
    problem = only(check_session(session))
    assert (problem.file, problem.line) == ("net.prototxt", line)
    assert message in problem.message and problem.hint.startswith(hint)


def test_transform_settings_in_the_old_place_are_warned_about(session: Path) -> None:
    change(session / "net.prototxt", "    batch_size: 2", "    batch_size: 2\n    mirror: true")
    problem = only(check_session(session))
    assert (problem.line, problem.severity) == (6, "warning")
    assert problem.message == "layer 'data': data_param.mirror is ignored"
    assert problem.hint == "move it to transform_param"


def test_one_name_in_two_phases_is_no_duplicate(session: Path) -> None:
    data = NET[: NET.index("layer", 5)]
    phased = data.replace("data_param", "include { phase: TRAIN } data_param")
    other = data.replace("data_param", "include { phase: TEST } data_param").replace('"db"', '"other"')
    shutil.copytree(session / "db", session / "other")
    change(session / "net.prototxt", data, phased + other)
    assert check_session(session) == []


def test_an_lmdb_named_where_a_leveldb_is(session: Path) -> None:
    (session / "db" / "data.mdb").rename(session / "db" / "CURRENT")
    problem = only(check_session(session))
    assert problem.message.endswith("'db' is not an LMDB") and problem.hint == "backend: LEVELDB"


def test_hdf5_lists_are_followed(session: Path) -> None:
    data = NET[: NET.index("layer", 5)]
    layer = """layer { name: "data" type: "HDF5Data" top: "data" top: "label"
    hdf5_data_param { source: "list.txt" batch_size: 1 } }
    """
    change(session / "net.prototxt", data, layer)
    assert "'list.txt' does not exist" in only(check_session(session)).message
    (session / "list.txt").write_text("\n")
    assert "lists no files" in only(check_session(session)).message
    (session / "list.txt").write_text("a.h5\nb.h5\n")
    assert [problem.message.split(": ")[1].split(",")[0] for problem in check_session(session)] == [
        "'a.h5'",
        "'b.h5'",
    ]
    for name in ("a.h5", "b.h5"):
        with h5py.File(session / name, "w") as file:
            file["data"] = np.zeros((3, 2), np.float32)
            file["label"] = np.zeros(3, np.float32)
    assert check_session(session) == []
    with h5py.File(session / "b.h5", "a") as file:
        del file["label"]
    problem = only(check_session(session))
    assert problem.message.endswith("'b.h5' has no dataset 'label'") and problem.hint == "it has data"
    (session / "a.h5").write_bytes(b"no")
    assert any("'a.h5' is not an HDF5 file" in problem.message for problem in check_session(session))


def test_input_fields_do_not_shift_lines(session: Path) -> None:
    net = (
        "input: 'x' input_dim: 1 input_dim: 1 input_dim: 1 input_dim: 1\n"
        "layer { name: 'a' type: 'ReLU' top: 'a' loss_weight: 1\n bottom: 'y' }"
    )
    (session / "net.prototxt").write_text(net)
    assert only(without_inputs(check_session(session))).line == 3


def test_lines_in_old_nets_are_those_of_their_layers(session: Path) -> None:
    (session / "net.prototxt").write_text(
        """input: "x" input_dim: 1 input_dim: 1 input_dim: 9 input_dim: 9
layers { layer { name: "p" type: "padding" pad: 1 } bottom: "x" top: "p" }
layers { layer { name: "c" type: "conv" num_output: 1 kernelsize: 3 }
  bottom: "p" top: "c" }
layers { layer { name: "r" type: "relu" }
  bottom: "c" top: "c" }
layers { bottom: "c" top: "i" layer { type: "innerproduct" num_output: 1
  name: "r" } }
layers { bottom: "i" bottom: "i" layer { type: "euclidean_loss" name: "l" } }
"""
    )
    problem = only(without_inputs(check_session(session)))
    assert problem.line == 8 and "two layers 'r'" in problem.message


@pytest.mark.parametrize(
    ("old", "new", "line", "message", "hint"),
    [
        (
            '"InnerProduct"',
            '"InnerProduct3"',
            11,
            "layer 'ip': Unknown layer type: InnerProduct3",
            "did you mean",
        ),
        ("phase: TRAIN", "phase: TEST", None, "the TRAIN net has no loss", "the rules of layer 'loss'"),
    ],
)
def test_what_may_be_meant_so_is_warned_about(
    session: Path, old: str, new: str, line: int | None, message: str, hint: str
) -> None:
    change(session / "net.prototxt", old, new)
    problem = only(check_session(session))
    assert (problem.file, problem.line, problem.severity) == ("net.prototxt", line, "warning")
    assert message in problem.message and problem.hint.startswith(hint)


@pytest.mark.parametrize("slip", ["InerProduct", "Innerproduct", "InnerProdukt"])
def test_a_slip_in_a_layer_type_is_an_error(session: Path, slip: str) -> None:
    change(session / "net.prototxt", "InnerProduct", slip)
    problem = only(check_session(session))
    assert (problem.line, problem.severity, problem.hint) == (11, "error", 'did you mean "InnerProduct"?')
    assert problem.message == f"layer 'ip': Unknown layer type: {slip}"


@pytest.mark.parametrize(
    ("old", "new", "line", "message", "hint"),
    [
        ("num_output: 3", "num_output: 3 axis: 5", 14, "layer 'ip': axis 5 out of range for 4-D Blob", ""),
        ("{ num_output: 3 }", "{}", 14, "layer 'ip': num_output must be positive", "add num_output"),
        (
            'bottom: "label" }',
            'bottom: "data" bottom: "label" }',
            16,
            "SoftmaxWithLoss Layer takes 2 bottom blob(s) as input. (it has 3)",
            "",
        ),
        (
            '"InnerProduct"',
            '"Convolution" convolution_param { num_output: 1\n kernel_size: 3 }',
            12,
            "layer 'ip': the kernel (3) is larger than its input (1)",
            "a smaller kernel",
        ),
        (
            "data_param {",
            "transform_param { crop_size: 4 } data_param {",
            3,
            "crop_size 4 is larger than the records (1 x 1 x 1)",
            "a smaller crop_size",
        ),
    ],
)
def test_shapes_that_do_not_fit(
    session: Path, old: str, new: str, line: int, message: str, hint: str
) -> None:
    change(session / "net.prototxt", old, new.replace("\\n", "\n"))
    problem = only(check_session(session))
    assert (problem.file, problem.line, problem.severity) == ("net.prototxt", line, "error")
    assert message in problem.message and problem.hint.startswith(hint)


def test_a_layer_of_the_other_phase_is_named(session: Path) -> None:
    change(session / "net.prototxt", 'name: "data"', 'name: "data" include { phase: TEST }')
    problems = check_session(session)
    assert {problem.line for problem in problems} == {12, 16}
    assert problems[0].message == "Unknown bottom blob 'data' (layer 'ip', bottom index 0)"
    assert problems[0].hint == "layer 'data' makes it, but its rules keep it out of the TRAIN net"


def test_a_net_without_layers_in_a_phase(session: Path) -> None:
    text = (session / "net.prototxt").read_text()
    kept = text.replace("include { phase: TRAIN }", "").replace("include { phase: TEST }", "")
    (session / "net.prototxt").write_text(kept.replace('name: "', 'include { phase: TRAIN } name: "'))
    problem = only(check_session(session))
    assert (problem.message, problem.line) == ("no layer is in the TEST net", None)


def test_no_solver_at_all(tmp_path: Path) -> None:
    problem = only(check_session(tmp_path))
    assert (problem.file, problem.message) == ("solver.prototxt", "cannot be read: No such file or directory")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.sampled_from(["solver.prototxt", "net.prototxt"]), st.integers(0, 400), st.binary(max_size=6))
def test_no_damage_makes_it_fail(session: Path, name: str, place: int, noise: bytes) -> None:
    sound = {"solver.prototxt": SOLVER, "net.prototxt": NET}
    for file, text in sound.items():
        data = text.encode()
        if file == name:
            data = data[:place] + noise + data[place + len(noise) :]
        (session / file).write_bytes(data)
    for problem in check_session(session):
        assert problem.message and problem.file


def test_fields_of_forks_are_warnings_with_their_fork(session: Path) -> None:
    change(session / "solver.prototxt", "max_iter", "min_lr: 0.1\nstore_blobs_in_old_format: true\nmax_iter")
    change(session / "net.prototxt", "batch_size: 2", "batch_size: 2\n threads: 4")
    problems = check_session(session)
    assert [(one.file, one.line, one.severity) for one in problems] == [
        ("solver.prototxt", 6, "warning"),
        ("solver.prototxt", 7, "warning"),
        ("net.prototxt", 6, "warning"),
    ]
    harmful, harmless = (one.message for one in problems[:2])
    assert harmful == "'min_lr' is of NVCaffe, DeepDetect: BVLC caffe and the embedded engine refuse it"
    assert harmless.endswith("is of NVCaffe: BVLC caffe refuses it, the embedded engine ignores it")


def test_a_layer_with_settings_of_an_own_fork_is_not_judged_by_caffes_rules(session: Path) -> None:
    own = '"Pooling"\n  pooling_param { dilated_window: 3 }'
    change(session / "net.prototxt", '"InnerProduct"', own)  # without kernel_size, as no caffe would take it
    change(session / "net.prototxt", 'type: "SoftmaxWithLoss"', 'type: "SmoothL1Loss"')
    problems = check_session(session)
    assert [(one.line, one.severity) for one in problems] == [(12, "warning"), (17, "warning")]
    assert problems[1].message == "layer 'loss': Unknown layer type: SmoothL1Loss"
    assert problems[1].hint.startswith("it is of SSD, Fast R-CNN")


def test_old_layers_of_forks_have_one_problem(session: Path) -> None:
    (session / "net.prototxt").write_text(
        'input: "x" input_dim: 1 input_dim: 1 input_dim: 9 input_dim: 9\n'
        'layers { name: "a" type: SMOOTH_L1_LOSS bottom: "x"\n bottom: "x" top: "l" }\n'
        'layers { name: "b" type: EUCLIDEAN_LOSS bottom: "x" bottom: "l" top: "m" }\n'
    )
    problem = only(without_inputs(check_session(session)))
    assert (problem.line, problem.severity) == (2, "warning")
    assert problem.message.startswith("'type: SMOOTH_L1_LOSS' is of SSD, Fast R-CNN")


def test_what_follows_from_a_typing_error_is_not_told(session: Path) -> None:
    change(session / "net.prototxt", "num_output", "num_outputs: 3 larc")
    problem = only(check_session(session))
    assert (problem.line, problem.severity, problem.hint) == (14, "error", 'did you mean "num_output"?')
