"""`barista deploy`: a LeNet with its snapshot becomes a net to be used, checked by the real engine."""

from __future__ import annotations

import json
import signal
import tarfile
from pathlib import Path

import numpy as np
import psutil

from barista_server.agent.deploying import verdict
from barista_server.caffe.deploy import deployed
from barista_server.caffe.net import load_net
from barista_server.caffe.schema import TEST
from barista_server.caffe.stored_shapes import stored_in
from barista_server.caffe.weights import State, write_state, write_weights
from barista_server.templates import instantiate

from .verbshell import Shell


def lenet(folder: Path) -> Path:
    """A training's folder: the packaged net on the digits, and a snapshot at 40 with any weights."""
    folder.mkdir()
    instantiate("lenet-digits", folder, {"digits": str(folder / "digits")})
    net = load_net(folder / "net.prototxt")
    net.state.phase = TEST
    shapes = deployed(net, None, stored_in(folder)).params
    numbers = np.random.default_rng(1)
    blobs = {name: [numbers.normal(0, 0.1, shape).astype(np.float32) for shape in each]
             for name, each in shapes.items()}  # fmt: skip
    write_weights(folder / "lenet_iter_40.caffemodel", net, blobs, "binary")
    history = [np.zeros_like(blob) for each in blobs.values() for blob in each]
    state = State(40, "lenet_iter_40.caffemodel", history)
    write_state(folder / "lenet_iter_40.solverstate", state, "binary")
    return folder


def test_a_snapshot_becomes_a_net_to_be_used(shell: Shell, tmp_path: Path) -> None:
    shell.barista("put", str(lenet(tmp_path / "lenet")), "--name", "my net", "--caffe", "embedded")
    place = tmp_path / "used"
    made = shell.json("deploy", "my net", "-o", str(place))
    names = ["README.md", "deploy.json", "deploy.prototxt", "lenet_iter_40.caffemodel"]
    assert sorted(made["files"]) == names == sorted(one.name for one in place.iterdir())
    # Both nets were run, on the digits themselves, and say the same.
    assert made["check"]["state"] == "same" and made["check"]["sample"] == "data"
    assert made["check"]["difference"] < 1e-5 and made["check"]["largest"] > 0
    assert (made["inputs"][0]["name"], made["inputs"][0]["shape"]) == ("data", [1, 1, 28, 28])
    assert made["outputs"] == [{"name": "prob", "shape": [1, 10], "what": "Softmax of ip2"}]
    model = tmp_path / "lenet" / "lenet_iter_40.caffemodel"
    assert (place / model.name).read_bytes() == model.read_bytes()
    facts = json.loads((place / "deploy.json").read_text())
    assert facts["inputs"][0]["scale"] == 0.00390625 and facts["check"]["state"] == "same"
    assert "times 0.00390625" in (place / "deploy.prototxt").read_text()
    # An archive, of three at a time, without a check.
    told = shell.barista(
        "deploy",
        "my net",
        "--snapshot",
        "40",
        "--batch",
        "3",
        "--no-check",
        "-o",
        str(tmp_path / "net.tar.gz"),
    ).stdout
    assert "not checked: it was not asked for" in told and "input   data  3 x 1 x 28 x 28" in told
    with tarfile.open(tmp_path / "net.tar.gz") as archive:
        assert sorted(archive.getnames()) == ["net", *(f"net/{name}" for name in names)]
    # What is there is not written over; what cannot be is said.
    again = shell.barista("deploy", "my net", "-o", str(place), code=4)
    assert "is there already" in again.stderr
    none = shell.barista("deploy", "my net", "--snapshot", "7", code=3).stderr
    assert "my net has no good snapshot of iteration 7" in none and "There are: 40" in none
    wrong = shell.barista("deploy", "my net", "--blob", "ip9", code=4).stderr
    assert "makes no blob 'ip9'" in wrong and "ip1, ip2." in wrong
    shell.barista("deploy", "my net", "--input", "data", code=2)
    # Ended in the middle: the engine ends with it, and nothing is left.
    going = shell.begin("deploy", "my net", "-o", str(tmp_path / "never"))
    agent = psutil.Process(shell.agent_pid())
    engine = shell.until(
        lambda: [one for one in agent.children() if "compare" in one.cmdline()], "the nets are run"
    )[0]
    going.send_signal(signal.SIGINT)
    assert going.wait(30) == 130
    shell.until(lambda: not engine.is_running(), "the engine is gone")
    # The net was changed since.
    net = shell.root / "sessions" / "1" / "net.prototxt"
    net.write_text(net.read_text().replace("num_output: 50", "num_output: 51"))
    changed = shell.barista("deploy", "my net", "-o", str(tmp_path / "never"), code=4).stderr
    assert "layer 'conv2' is 51 20 5 5" in changed and "was changed since" in changed
    left = [one.name for one in tmp_path.iterdir()]
    assert sorted(left) == ["lenet", "net.tar.gz", "used"]


def test_what_counts_as_the_same() -> None:
    """Sums in another order differ a little; the worst blob is the one that is told of."""
    blobs = {"a": {"difference": 5e-5, "largest": 0.5}, "b": {"difference": 1e-3, "largest": 100.0}}
    same = verdict({"sample": "data", "why": "", "blobs": blobs})
    assert (same.state, same.blob, same.difference) == ("same", "a", 5e-5)
    blobs["b"]["difference"] = 0.02
    assert verdict({"sample": "random", "why": "no data", "blobs": blobs}).state == "differs"
    assert verdict({"sample": "data", "why": "", "blobs": {}}).state == "unchecked"
