"""A real agent tells what nets look like once built: of a session, and of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from barista_server.api.link import CallFailed
from barista_server.api.messages import DescribeNet, NetReport

from .agents import Root, Watcher, new, solver

NET = """name: "digits"
layer {
  name: "data" type: "Data" top: "data" top: "label"
  data_param { source: "%s" batch_size: 16 }
  transform_param { crop_size: 24 }
}
layer {
  name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 8 kernel_size: 5 }
}
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer {
  name: "ip" type: "InnerProduct" bottom: "conv" top: "ip"
  inner_product_param { num_output: 10 }
}
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" }
layer { name: "acc" type: "Accuracy" bottom: "ip" bottom: "label" top: "acc" include { phase: TEST } }
layer { name: "log" type: "Silence" bottom: "conv" include { stage: "quiet" } }
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A solver and a net as in a source tree, whose top the net's path starts from; its data is not there."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models/net.prototxt").write_text(NET % "data/train")
    (tmp_path / "models/solver.prototxt").write_text(
        'net: "models/net.prototxt"\nbase_lr: 0.1\nlr_policy: "fixed"\nmax_iter: 9\ntype: "Adam"\n'
        'test_iter: 3\ntest_interval: 5\nsnapshot_prefix: "models/s"\n'
    )
    return tmp_path


async def ask(watcher: Watcher, call: DescribeNet) -> NetReport:
    return await watcher.link.call(call, NetReport)


async def test_a_session_is_described_by_its_own_files(root: Root, watcher: Watcher) -> None:
    session = await new(watcher.link, solver(extra="test_iter: 1\ntest_interval: 5\n"), start=False)
    report = await ask(watcher, DescribeNet(session=session.name))
    assert [(view.title, view.phase, view.file) for view in report.nets] == [
        ("train net", "train", "net.prototxt"),
        ("test net #0", "test", "net.prototxt"),
    ]
    view = report.nets[0]
    assert (view.name, view.complete, view.parameters) == ("tiny", True, 5)
    assert view.data_size == 4 * (4 + 1 + 1 + 1)
    data, ip, loss = view.layers
    assert (data.index, data.line, data.type, data.bottoms) == (0, 2, "DummyData", [])
    assert [(top.name, top.shape) for top in data.tops] == [("data", [1, 4]), ("label", [1, 1])]
    assert (ip.params, ip.parameters, ip.line, ip.bottoms) == ([[1, 4], [1]], 5, 6, ["data"])
    assert loss.tops[0].shape == []
    assert report.problems == [] and report.file == "solver.prototxt"
    need = report.needs[0]
    assert (need.device, need.solver_type, need.weights, need.history, need.batch) == (
        "cpu",
        "SGD",
        20,
        20,
        1,
    )
    assert need.free and need.largest == 1 << 20


async def test_a_solver_is_found_its_net_from_a_folder_above(files: Path, watcher: Watcher) -> None:
    path = str(files / "models/solver.prototxt")
    report = await ask(watcher, DescribeNet(path=path, base="/", records=[3, 32, 32]))
    train, test = report.nets
    assert train.complete and test.complete
    assert [layer.name for layer in test.layers] == [
        "data", "label_data_1_split", "conv", "relu", "ip", "ip_ip_0_split", "loss", "acc",
    ]  # fmt: skip
    assert [layer.index for layer in test.layers] == [0, None, 1, 2, 3, None, 4, 5]
    assert train.layers[0].tops[0].shape == [16, 3, 24, 24]
    assert train.layers[1].tops[0].shape == [16, 8, 20, 20]
    assert train.parameters == 8 * 75 + 8 + 3200 * 10 + 10
    need = report.needs[0]
    assert (need.solver_type, need.history, need.batch) == ("Adam", 12 * train.parameters, 16)
    assert need.total == 2 * need.weights + need.history + need.train + need.tests
    assert (need.train, need.tests) == (train.memory, test.memory)
    missing = [(one.file, one.line) for one in report.problems]
    assert missing == [("models/net.prototxt", 4)]
    assert "'data/train' does not exist" in report.problems[0].text and report.problems[0].hint


async def test_without_the_records_shapes_stay_open(files: Path, watcher: Watcher) -> None:
    report = await ask(watcher, DescribeNet(path=str(files / "models/solver.prototxt"), base=str(files)))
    assert not any(view.complete for view in report.nets) and report.needs == []
    assert report.nets[0].layers[1].tops[0].shape is None


async def test_a_net_is_described_in_its_phases_and_stages(files: Path, watcher: Watcher) -> None:
    path = str(files / "models/net.prototxt")
    report = await ask(watcher, DescribeNet(path=path, records=[1, 28, 28]))
    assert [view.title for view in report.nets] == ["train net", "test net"] and report.needs == []
    quiet = await ask(watcher, DescribeNet(path=path, phase="train", stages=["quiet"], records=[1, 28, 28]))
    (view,) = quiet.nets
    assert view.stages == ["quiet"] and view.layers[-1].name == "log" and view.file == path
    assert "conv_relu_0_split" in [layer.name for layer in view.layers]


async def test_stages_of_the_command_line_are_the_train_nets(files: Path, watcher: Watcher) -> None:
    call = DescribeNet(path=str(files / "models/solver.prototxt"), stages=["quiet"], level=2)
    train, test = (await ask(watcher, call)).nets
    assert (train.stages, train.level, test.stages, test.level) == (["quiet"], 2, [], 0)
    assert "log" in [layer.name for layer in train.layers]
    assert "log" not in [layer.name for layer in test.layers]


async def test_layers_that_cannot_be_built_are_told_with_line_and_hint(files: Path, watcher: Watcher) -> None:
    path = files / "models/net.prototxt"
    path.write_text(
        NET.replace("kernel_size: 5", "kernel_size: 30").replace('"ip" bottom: "l', '"ipp" bottom: "l')
    )
    report = await ask(watcher, DescribeNet(path=str(path), phase="train", records=[1, 28, 28]))
    told = {one.line: one for one in report.problems}
    assert "the kernel (30) is larger than its input (24)" in told[9].text
    assert "Unknown bottom blob 'ipp'" in told[16].text and told[16].hint == 'did you mean "ip"?'
    assert {one.file for one in report.problems} == {str(path)}


async def test_settings_of_forks_leave_the_shapes_of_their_layers_open(files: Path, watcher: Watcher) -> None:
    path = files / "models/net.prototxt"
    path.write_text(NET.replace("num_output: 8", "num_output: 8 sparsity_threshold: 0.5"))
    for name in ("net.prototxt", "solver.prototxt"):
        report = await ask(watcher, DescribeNet(path=str(files / "models" / name), records=[1, 28, 28]))
        view = report.nets[0]
        assert [layer.tops[0].shape for layer in view.layers[:2]] == [[16, 1, 24, 24], None]
        assert [(one.line, "sparsity_threshold" in one.text) for one in report.warnings] == [(9, True)]


@pytest.mark.parametrize(
    ("name", "text", "line", "words"),
    [
        ("net.prototxt", 'layer {\n  name "x"\n}\n', 2, "x"),
        ("solver.prototxt", 'net: "models/net.prototxt"\nbase_lr: one\n', 2, "one"),
        ("solver.prototxt", 'net: "models/none.prototxt"\nbase_lr: 1\n', 1, "models/none.prototxt"),
        ("solver.prototxt", "base_lr: 1\n", None, "must specify a train net"),
    ],
)
async def test_files_without_a_net_fail_with_the_place(
    files: Path, watcher: Watcher, name: str, text: str, line: int | None, words: str
) -> None:
    path = files / "models" / name
    path.write_text(text)
    with pytest.raises(CallFailed) as failed:
        await ask(watcher, DescribeNet(path=str(path)))
    failure = failed.value.failure
    assert failure.code == "invalid" and failure.text.startswith(str(path))
    assert [(one.file, one.line) for one in failure.problems if words in one.text] == [(str(path), line)]


async def test_what_is_not_there_is_told(files: Path, watcher: Watcher) -> None:
    for call, code in (
        (DescribeNet(path=str(files / "no.prototxt")), "not-found"),
        (DescribeNet(path=str(files)), "not-found"),
        (DescribeNet(path="models/net.prototxt"), "invalid"),
        (DescribeNet(session="nobody"), "not-found"),
        (DescribeNet(path=str(files / "models/net.prototxt"), records=[3]), "invalid"),
    ):
        with pytest.raises(CallFailed) as failed:
            await ask(watcher, call)
        assert failed.value.failure.code == code
