"""Whether the graphics cards a session asks for are there; files of forks and devices at the agent."""

from __future__ import annotations

from pathlib import Path

import pytest

from barista_server.agent.graphics import count_gpus, device_problem
from barista_server.api.messages import NewSession, SessionReply, State
from barista_server.caffe.schema import SolverParameter

from .agents import NET, Root, Watcher, solver, until

GPU, CPU = SolverParameter.GPU, SolverParameter.CPU


def machine(tmp_path: Path, *files: str) -> Path:
    for name in ("proc/self", *files):
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
    return tmp_path


@pytest.mark.parametrize(
    ("files", "environ", "count"),
    [
        ((), {}, 0),
        (("proc/driver/nvidia/gpus/0000:01:00.0", "proc/driver/nvidia/gpus/0000:02:00.0"), {}, 2),
        (("dev/nvidia0", "dev/nvidiactl"), {}, 1),
        (("dev/nvidia0", "dev/nvidia1"), {"CUDA_VISIBLE_DEVICES": "1"}, 1),
        (("dev/nvidia0", "dev/nvidia1"), {"CUDA_VISIBLE_DEVICES": "1,-1,0"}, 1),
        (("dev/nvidia0",), {"CUDA_VISIBLE_DEVICES": ""}, 0),
        (("dev/dri/renderD128",), {}, None),
        (("dev/kfd",), {}, None),
        ((), {"BARISTA_GPUS": "8"}, 8),
    ],
)
def test_cards_are_counted(
    files: tuple[str, ...], environ: dict[str, str], count: int | None, tmp_path: Path
) -> None:
    assert count_gpus(environ, machine(tmp_path, *files)) == count


def test_cards_of_other_systems_are_not_known(tmp_path: Path) -> None:
    assert count_gpus({}, tmp_path) is None


@pytest.mark.parametrize(
    ("device", "count", "text"),
    [
        ("cpu", 0, None),
        ("0", 1, None),
        ("0,1", 2, None),
        ("all", 1, None),
        ("3", None, None),
        ("0", 0, "device asks for graphics card 0, but this machine has no graphics card"),
        ("0,1", 1, "device asks for graphics card 1, but this machine has one graphics card, 0"),
        ("2, 5,1", 2, "device asks for graphics card 2 and 5, but this machine has graphics cards 0 to 1"),
        ("all", 0, "device asks for graphics card all, but this machine has no graphics card"),
        ("gpu0", None, "'gpu0' is no device"),
    ],
)
def test_a_device_that_is_absent_is_a_problem(device: str, count: int | None, text: str | None) -> None:
    problem = device_problem(SolverParameter(solver_mode=CPU), device, count)
    assert (problem and problem.text) == text
    assert problem is None or problem.hint in ("Choose the device cpu.", "A device is cpu, 0, 0,1 or all.")


def test_a_solver_may_ask_for_a_card_by_itself() -> None:
    assert device_problem(SolverParameter(), "cpu", 0) is None
    problem = device_problem(SolverParameter(solver_mode=GPU, device_id=1), "cpu", 0)
    assert problem is not None and problem.file == "solver.prototxt"
    assert problem.text == "solver_mode: GPU asks for graphics card 1, but this machine has no graphics card"
    assert problem.hint == "Write solver_mode: CPU."


async def test_a_session_for_an_absent_card_is_invalid(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BARISTA_GPUS", "1")
    link = await root.link()
    for device, state in (("0", State.WAITING), ("0,1", State.INVALID)):
        call = NewSession(name=device, solver=solver(), net=NET, caffe="scripted", device=device)
        info = (await link.call(call, SessionReply)).session
        assert info.state is state
    assert [problem.hint for problem in info.problems] == ["Choose the device cpu."]


async def test_fields_of_forks_are_shown_and_stop_nothing(root: Root, watcher: Watcher) -> None:
    net = NET.replace('name: "tiny"', 'name: "tiny"\ndefault_forward_type: FLOAT16')
    text = solver(max_iter=20, speed=400, extra="larc: true\n")
    call = NewSession(name="forked", solver=text, net=net, caffe="scripted")
    info = (await watcher.link.call(call, SessionReply)).session
    assert info.state is State.WAITING and info.problems == []
    assert [(warning.file, warning.line) for warning in info.warnings] == [
        ("solver.prototxt", 6),
        ("net.prototxt", 2),
    ]
    assert "'larc' is of NVCaffe" in info.warnings[0].text
    await until(lambda: any("'larc' is of NVCaffe" in told for told in watcher.notices), "it is told")
    (root.session() / "solver.prototxt").write_text(text.replace("base_lr", "base_lrr"))
    info = await watcher.state(State.INVALID)
    assert [problem.hint for problem in info.problems] == ['did you mean "base_lr"?']
