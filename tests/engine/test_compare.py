"""`barista-caffe compare`: nets that a real Caffe trained compute the same when deployed; others are told."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from barista_engine import flags
from barista_engine.compare_cmd import compare
from barista_engine.errors import CheckFailed
from barista_engine.glog import Glog
from barista_server.agent.deploying import verdict
from barista_server.agent.deployplan import Plan, make_plan
from barista_server.api.messages import DeployCheck, DeploySession, Snapshot
from barista_server.caffe.deploy import deployed
from barista_server.caffe.net import load_net
from barista_server.caffe.schema import TEST
from barista_server.caffe.weights import write_weights

from .golden_logs import FIXTURES

RUNS = [run for run in sorted((FIXTURES / "runs").iterdir()) if list(run.glob("*.caffemodel"))]
SIAMESE = """
layer { name: "d" type: "MemoryData" top: "pair" top: "same"
  memory_data_param { batch_size: 8 channels: 2 height: 5 width: 5 } }
layer { name: "cut" type: "Slice" bottom: "pair" top: "a" top: "b" slice_param { slice_dim: 1 } }
layer { name: "sa" type: "Power" bottom: "a" top: "a" power_param { shift: 0.5 } }
layer { name: "sb" type: "Power" bottom: "b" top: "b" power_param { shift: 0.5 } }
layer { name: "fa" type: "InnerProduct" bottom: "a" top: "fa" param { name: "w" } param { name: "b" }
  inner_product_param { num_output: 3 } }
layer { name: "ra" type: "ReLU" bottom: "fa" top: "fa" }
layer { name: "fb" type: "InnerProduct" bottom: "b" top: "fb" param { name: "w" } param { name: "b" }
  inner_product_param { num_output: 3 } }
layer { name: "rb" type: "ReLU" bottom: "fb" top: "fb" }
layer { name: "loss" type: "ContrastiveLoss" bottom: "fa" bottom: "fb" bottom: "same" top: "loss" }
"""


def planned(folder: Path, model: str) -> Plan:
    snapshot = Snapshot(iteration=1, model=model, state="", size=0, time=0.0)
    return make_plan(folder, "net", snapshot, DeploySession(session="1"), ["/"])


def compared(plan: Plan, net: str, place: Path, capsys: pytest.CaptureFixture[str]) -> DeployCheck:
    """What the engine says of the trained net and of ``net``."""
    words = [f"--weights={plan.model}"]
    for name, text in {"model": plan.trained, "deploy": net, "sample": plan.sample}.items():
        if text:
            (place / name).write_text(text)
            words.append(f"--{name}={place / name}")
    log = os.open(place / "log", os.O_RDWR | os.O_CREAT)
    try:
        compare(flags.parse(["compare", *words])[0], Glog(fd=log))
    finally:
        os.close(log)
    return verdict(json.loads(capsys.readouterr().out))


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.name)
def test_a_deployed_net_computes_what_the_trained_one_did(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(run, tmp_path / "run")
    monkeypatch.chdir(tmp_path / "run")
    plan = planned(tmp_path / "run", next(run.glob("*.caffemodel")).name)
    found = compared(plan, plan.net, tmp_path, capsys)
    assert (found.state, found.sample, found.why) == ("same", "data", "")
    assert found.difference < 1e-6 and found.largest > 0


def test_half_of_a_siamese_net_and_a_net_that_is_another_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "net.prototxt").write_text(SIAMESE)
    (tmp_path / "solver.prototxt").write_text('net: "net.prototxt" base_lr: 0.1 lr_policy: "fixed"')
    net = load_net(tmp_path / "net.prototxt")
    net.state.phase = TEST
    numbers = np.random.default_rng(3)
    shapes = deployed(net).params["fa"]
    blobs = [numbers.normal(size=shape).astype(np.float32) for shape in shapes]
    write_weights(tmp_path / "m.caffemodel", net, {"fa": blobs, "fb": blobs}, "binary")
    monkeypatch.chdir(tmp_path)
    plan = planned(tmp_path, "m.caffemodel")
    # Its input is cut from what the trained net makes of random numbers, as no data can be had.
    assert [one.name for one in plan.found.inputs] == ["a"]
    found = compared(plan, plan.net, tmp_path, capsys)
    assert (found.state, found.sample, found.blob) == ("same", "random", "fa") and found.difference == 0
    other = plan.net.replace('type: "ReLU"', 'type: "TanH"')
    found = compared(plan, other, tmp_path, capsys)
    assert found.state == "differs" and found.blob == "fa" and found.difference > 0.01
    with pytest.raises(CheckFailed, match="blob 'a' is 1 1 5 5 in the trained net, 2 1 5 5"):
        compared(plan, plan.net.replace("dim: 1", "dim: 2", 1), tmp_path, capsys)
