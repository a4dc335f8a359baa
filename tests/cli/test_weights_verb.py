"""`barista weights`: a file or a session's snapshot, as a table and as JSON."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from barista_server.api.messages import BlobInfo, BlobStats, LayerWeights, ListWeights, WeightsList
from barista_server.caffe.weights import read_weights
from barista_tui.verbs import weights
from barista_tui.verbs.weights import blob_table, head, what

from ..support.terminal_pictures import Kitty, sixel_pixels
from .verbshell import Shell

GOLDEN = Path(__file__).parent.parent / "fixtures/golden/solvers"
MODEL = GOLDEN / "sgd_inv_iter_10.caffemodel"

TOLD = WeightsList(
    path="/m.caffemodel",
    net="lenet",
    size=1_700_000,
    layers=[
        LayerWeights(name="data", type="Data", form="current"),
        LayerWeights(
            name="ip\x1b[2J",
            type="InnerProduct",
            form="current",
            blobs=[BlobInfo(shape=[500, 800]), BlobInfo(shape=[500], dtype="float64"), BlobInfo(shape=[])],
        ),
        LayerWeights(name="twin", type="", form="HDF5", blobs=[BlobInfo(shape=[], shared=True)]),
    ],
)


def test_what_is_a_file_and_what_a_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plain").touch()
    assert what("lenet") == ListWeights(session="lenet")
    assert what("lenet@500") == ListWeights(session="lenet", iteration=500)
    assert what("me@home") == ListWeights(session="me@home")
    for text in ("plain", "x/y", "none.caffemodel", "none.caffemodel.h5"):
        assert what(text) == ListWeights(path=str(tmp_path / text))


def test_a_row_a_blob() -> None:
    assert head(TOLD) == ["/m.caffemodel", "3 layers of lenet, 400,501 values, 1.7 MB"]
    header, data, weights, bias, scalar, twin = blob_table(TOLD, [0, 1, 2], {})
    assert header.split() == ["LAYER", "TYPE", "SHAPE", "VALUES"]
    assert data.split() == ["data", "Data"]
    assert weights.split() == ["ip", "[2J", "InnerProduct", "500", "x", "800", "400,000"]
    assert bias.split() == ["500", "float64", "500"]
    assert scalar.split() == ["scalar", "1"]
    assert twin.split() == ["twin", "(shared)"]


def test_statistics_stand_beside() -> None:
    some = BlobStats(
        count=400_000, nans=1, infinite=2, zeros=399_999, least=-0.5, mean=0, greatest=2, deviation=0.25
    )
    none = BlobStats(count=500, nans=500)
    lines = blob_table(TOLD, [1], {1: [some, none, BlobStats(count=0)]})
    assert lines[0].split()[4:] == ["LEAST", "MEAN", "GREATEST", "DEVIATION", "NAN/INF", "ZERO"]
    assert lines[1].split()[-8:] == ["-0.5000", "0.0000", "2.000", "0.2500", "<0.1", "%", ">99.9", "%"]
    assert lines[2].split()[-3:] == ["100", "%", "0"]


def test_statistics_are_asked_for_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "PORTION", 10)
    monkeypatch.setattr(weights, "MOST_LAYERS", 3)
    for sizes, asked in (
        ([], []),
        ([50], [[0]]),
        ([1, 9, 1, 50, 2], [[0, 1], [2], [3], [4]]),
        ([0, 0, 0, 0], [[0, 1, 2], [3]]),
    ):
        assert [list(portion) for portion in weights.portions(sizes)] == asked


def test_a_file_and_a_session(shell: Shell) -> None:
    table = shell.barista("weights", str(MODEL)).stdout
    assert "ip2" in table and "10 x 24" in table and "LEAST" not in table
    told = shell.json("weights", str(MODEL), "--layer", "ip2")
    (layer,) = told["layers"]
    assert [blob["shape"] for blob in layer["blobs"]] == [[10, 24], [10]]
    bias = read_weights(MODEL).layers["ip2"][1].astype(np.float64)
    assert layer["blobs"][1]["stats"]["mean"] == pytest.approx(bias.mean())
    missing = shell.barista("weights", str(MODEL), "--layer", "ip9", code=3).stderr
    assert "no layer ip9" in missing and "ip2" in missing
    assert "there is no" in shell.barista("weights", "./none.caffemodel", code=3).stderr
    shell.new("--start", speed=50)
    shell.iterating("tiny")
    taken = shell.json("snapshot", "tiny")["iteration"]
    told = shell.json("weights", f"tiny@{taken}")
    assert (told["session"], told["iteration"]) == ("1", taken)
    assert all("stats" not in blob for layer in told["layers"] for blob in layer["blobs"])
    assert f"_iter_{taken}.caffemodel" in shell.barista("weights", "tiny", "--stats").stdout


def test_a_layer_as_a_picture(shell: Shell, tmp_path: Path) -> None:
    path = tmp_path / "conv1.png"
    said = shell.barista("weights", str(MODEL), "--layer", "conv1", "--png", str(path)).stdout
    with Image.open(path) as read:
        assert f"{read.width} x {read.height}" in said and max(read.size) > 700
        # Three blocks beside each other, two rows; the first value of the first filter in its place.
        values = read_weights(MODEL).layers["conv1"][0]
        level = (values[0, 0, 0, 0] - values.min()) / (values.max() - values.min())
        assert read.getpixel((0, 0)) == (round(255 * float(level)),) * 3
        wanted = np.asarray(read.convert("RGB")).astype(int)
    printed = shell.barista("weights", str(MODEL), "--layer", "conv1", "--sixel").stdout.rstrip("\n")
    assert np.abs(sixel_pixels(printed).astype(int) - wanted).max() <= 3
    terminal = Kitty()
    assert terminal.read(shell.barista("weights", str(MODEL), "--layer", "conv1", "--kitty").stdout) == "\n"
    assert (terminal.pictures[0] == wanted).all()
    told = shell.json("weights", str(MODEL), "--layer", "ip1", "--png", str(path), "--scale", "filter")
    assert told["path"] == str(path) and told["low"] is None
    assert "--layer" in shell.barista("weights", str(MODEL), "--png", str(path), code=2).stderr
    folder = shell.barista("weights", str(MODEL), "--layer", "ip1", "--png", str(tmp_path), code=1).stderr
    assert "was not written" in folder
    shell.barista("weights", str(MODEL), "--layer", "relu1", "--png", str(path), code=3)
