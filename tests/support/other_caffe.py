#!/usr/bin/env python3
"""Builds of caffe as they answer when they are tried: ``other_caffe.py KIND caffe's words...``.

What they say is from their sources and from logs in the field; training is the scripted caffe's.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from barista_server.doctor import scripted

OWN = "AbsVal, Accuracy, Convolution, Data, DummyData, EuclideanLoss, InnerProduct, Python, ReLU, Softmax"
"""Layer types of BVLC's that every fork has, too."""
TYPES = {
    "ssd": "AnnotatedData, DetectionEvaluate, DetectionOutput, MultiBoxLoss, Normalize, Permute, PriorBox",
    "own-layers": "MyLayer",
}
VERSIONS = {"nvcaffe": "0.17.3", "old": "", "ssd": "1.0.0-rc3"}
NO_CARD = "Check failed: error == cudaSuccess (100 vs. 0)  no CUDA-capable device is detected"


def main(kind: str, words: list[str]) -> int:
    if words == ["--version"]:
        version = VERSIONS.get(kind, "1.0.0")
        print(f"caffe version {version}" if version else "caffe")
        return 0
    if not words:
        print("usage: caffe <command> <args>\n\ncommands:\n  train           train or finetune a model")
        if kind == "intel":
            print("  collect         collects layer data on specified device")
        return 0
    if words[0] == "device_query":
        return device_query(kind)
    if "NoSuchLayer" in Path("net.prototxt").read_text():
        types = f"{OWN}, {TYPES[kind]}" if kind in TYPES else OWN
        if kind == "old":
            return fatal("layer_factory.hpp:77", "Unknown layer type: NoSuchLayer")
        text = "Check failed: registry.count(type) == 1 (0 vs. 1) Unknown layer type: NoSuchLayer "
        return fatal("layer_factory.hpp:81", f"{text}(known types: {types})")
    if kind == "nvcaffe":
        scripted.say("caffe.cpp:260", "This is NVCaffe 0.17.3 started at Wed Nov 25 08:00:00 2026")
    return train(kind)


def device_query(kind: str) -> int:
    scripted.say("caffe.cpp:138", "Querying GPUs 0")
    if kind in ("nvcaffe", "bvlc-gpu", "card-only"):
        return fatal("common.cpp:152", NO_CARD)
    if kind == "opencl":
        scripted.say("common.cpp:373", "OpenCL devices: 1")
        return 0
    return fatal("common.cpp:66", "Cannot use GPU in CPU-only Caffe: check mode.")


def train(kind: str) -> int:
    if kind == "elsewhere":  # a container that begins in a folder of its own
        return fatal("io.cpp:36", "Check failed: fd != -1 (-1 vs. -1) File not found: solver.prototxt")
    if kind == "nowhere":  # one that does not write into ours
        scripted.say("caffe.cpp:250", "Optimization Done.")
        return 0
    if kind == "card-only" and not os.environ.get("CUDA_VISIBLE_DEVICES", "all"):
        return fatal("gpu_memory.cpp:172", NO_CARD)
    if kind == "broken":
        return fatal("math_functions.cpp:88", "Check failed: a == b (1 vs. 2) ")
    if kind == "hangs":
        time.sleep(1000)
    sys.argv = ["caffe", "train", "--solver=solver.prototxt"]
    return scripted.main()


def fatal(place: str, text: str) -> int:
    scripted.say(place, text, "F")
    os.abort()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
