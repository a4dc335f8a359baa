"""A model of 500 MB: time to its first layer's values and memory, beside protobuf's parse of the whole.

Also: verifying a snapshot of that size, and loading the model into a net of the engine.

Each figure is the median of some processes of its own, the files in the page cache.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from barista_server.caffe.schema import NetParameter
from barista_server.caffe.weights import State, write_state, write_weights

LAYERS, OUTPUTS, INPUTS = 8, 4096, 3814
"""Fully connected ones: 125 million values."""
FIRST = 0.3
"""Seconds that the first layer may take."""
ROUNDS = 5

_CHILD = """
import json, sys, time
def rss(what):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith(what)) / 1024
{setup}
before, begun = rss("VmRSS"), time.perf_counter()
{work}
print(json.dumps({{"seconds": time.perf_counter() - begun, "mib": max(0, rss("VmHWM") - before)}}))
"""

_LAZY = (
    """
from barista_server.caffe.model_file import ModelFile
import numpy""",
    """
with ModelFile(sys.argv[1]) as model:
    first = model.layers[0].blobs[0].read()""",
)
_WHOLE = (
    """
from barista_server.caffe.schema import NetParameter
from pathlib import Path
import numpy""",
    """
net = NetParameter.FromString(Path(sys.argv[1]).read_bytes())
first = numpy.array(net.layer[0].blobs[0].data, numpy.float32)""",
)
_VERIFY = (
    """
from barista_server.caffe.weights import verify_snapshot""",
    """
verify_snapshot(*sys.argv[1:])""",
)
_READ = (
    "",
    """
held = bytearray(1 << 20)
for path in sys.argv[1:]:
    with open(path, "rb", buffering=0) as file:
        while file.readinto(held):
            pass""",
)
_LOAD = (
    f"""
import os, torch
from barista_engine import snapshot
from barista_engine.glog import Glog
from barista_engine.net import Net
from barista_engine.data import DataSources
from barista_engine.rng import Stream
from barista_server.caffe.prototxt import parse
from barista_server.caffe.schema import NetParameter
log = Glog(fd=os.open(os.devnull, os.O_WRONLY))
text = 'layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ dim: 1 dim: {INPUTS} }} }} }}'
for i in range({LAYERS}):
    text += f'layer {{{{ name: "fc{{i}}" type: "InnerProduct" bottom: "data" top: "fc{{i}}" '
    text += 'inner_product_param {{ num_output: {OUTPUTS} }} }}'
stream = Stream(1)
net = Net(parse(text, NetParameter), device=torch.device("cpu"), stream=stream, log=log,
          sources=DataSources(log, stream))""",
    """
snapshot.load_weights(net, sys.argv[1], log)""",
)


def run() -> list[str]:
    """One line a measurement."""
    with tempfile.TemporaryDirectory() as folder:
        model, state = _write(Path(folder))
        size = model.stat().st_size
        lazy, whole = _measure(_LAZY, model), _measure(_WHOLE, model, rounds=2)
        verify, read = _measure(_VERIFY, model, state), _measure(_READ, model, state)
        load = _measure(_LOAD, model)
    first = OUTPUTS * INPUTS * 4 / 2**20
    slow = "" if lazy[0] <= FIRST else "  TOO SLOW"
    mb = f"{size / 1e6:.0f} MB"
    return [
        f"first layer of {mb}: {lazy[0] * 1000:.0f} ms (at most {FIRST * 1000:.0f}){slow}, "
        f"{lazy[1]:.0f} MiB for its {first:.0f}; protobuf's parse: {whole[0]:.1f} s, {whole[1]:.0f} MiB",
        f"snapshot of 2 x {mb} verified: {verify[0]:.2f} s, {verify[1]:.0f} MiB; "
        f"reading the bytes alone: {read[0]:.2f} s",
        f"loaded into a net of the engine: {load[0]:.2f} s, {load[1]:.0f} MiB above the net",
    ]


def _write(folder: Path) -> tuple[Path, Path]:
    random = np.random.default_rng(0)
    net, blobs = NetParameter(name="big"), {}
    for index in range(LAYERS):
        net.layer.add(name=f"fc{index}", type="InnerProduct")
        weights = random.standard_normal((OUTPUTS, INPUTS), np.float32)
        blobs[f"fc{index}"] = [weights, np.zeros(OUTPUTS, np.float32)]
    model, state = folder / "m_iter_1.caffemodel", folder / "m_iter_1.solverstate"
    write_weights(model, net, blobs)
    write_state(state, State(1, model.name, [blob for both in blobs.values() for blob in both]))
    return model, state


def _measure(script: tuple[str, str], *paths: Path, rounds: int = ROUNDS) -> tuple[float, float]:
    """Median seconds, and MiB at the peak above what there was before."""
    setup, work = script
    code = _CHILD.format(setup=setup, work=work)
    found = []
    for _ in range(rounds):
        command = [sys.executable, "-c", code, *map(str, paths)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found.append(json.loads(done.stdout))
    return statistics.median(one["seconds"] for one in found), statistics.median(one["mib"] for one in found)


if __name__ == "__main__":
    print("\n".join(run()))
