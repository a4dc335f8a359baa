"""Why a caffe failed, taken apart: what real ones said, and what a CPU build cannot be made to say."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from barista_server.caffe.log import Ending, Kind, decode
from barista_server.caffe.log.reason_table import SEE_LOG, TABLE

from .log_results import FIXTURES, PUBLIC, glog, parse

K = Kind


@pytest.mark.parametrize(
    ("text", "kind", "parts"),
    [
        (
            "Check failed: error == cudaSuccess (2 vs. 0)  out of memory",
            K.MEMORY,
            {"found": "2", "expected": "0"},
        ),
        ("Check failed: error == cudaSuccess (48 vs. 0)  no kernel image is available", K.BUILD, {}),
        ("Check failed: error == cudaSuccess (8 vs. 0)  invalid device function", K.BUILD, {}),
        ("Check failed: error == cudaSuccess (10 vs. 0)  invalid device ordinal", K.DEVICE, {}),
        ("Check failed: error == cudaSuccess (77 vs. 0)  illegal memory access", K.DEVICE, {"found": "77"}),
        (
            "Check failed: status == CUDNN_STATUS_SUCCESS (4 vs. 0)  CUDNN_STATUS_INTERNAL_ERROR",
            K.DEVICE,
            {"found": "4", "expected": "0"},
        ),
        ("Check failed: status == CUBLAS_STATUS_SUCCESS (13 vs. 0)  CUBLAS_STATUS_FAILED", K.DEVICE, {}),
        ("Check failed: *ptr host allocation of size 4194304 failed", K.MEMORY, {"found": "4194304"}),
        ("throwing an instance of 'std::bad_alloc': std::bad_alloc", K.MEMORY, {}),
        ("Cannot use GPU in CPU-only Caffe: check mode.", K.BUILD, {}),
        ("Multi-GPU execution not available - rebuild with USE_NCCL", K.BUILD, {}),
        ("Rank 1 of 2 (pid 4711 on night) was killed by SIGKILL", K.SIGNAL, {}),
        ("Check failed: --gpu=0,0 names GPU 0 twice: each process needs one of its own", K.USAGE, {}),
        (
            "Rank 1 of 2 (pid 4711): Check failed: fd != -1 (-1 vs. -1) File not found: net.prototxt",
            K.FILE,
            {"file": "net.prototxt"},
        ),
        (
            "Check failed: fd != -1 (-1 vs. -1) File not found: models/a b.prototxt",
            K.FILE,
            {"file": "models/a b.prototxt"},
        ),
        ("Failed to open source file: ./data/list.txt", K.FILE, {"file": "./data/list.txt"}),
        ("Check failed: infile.good() Failed to open window file w.txt", K.FILE, {"file": "w.txt"}),
        (
            "Check failed: file_id >= 0 (-1 vs. 0) Failed opening HDF5 file: a.h5",
            K.FILE,
            {"file": "a.h5", "found": "-1", "expected": "0"},
        ),
        ("Check failed: mdb_status == 0 (2 vs. 0) No such file or directory", K.DATABASE, {"found": "2"}),
        ("Check failed: mdb_status == 0 (13 vs. 0) Permission denied", K.DATABASE, {}),
        ("Check failed: mdb_status == 0 (-30793 vs. 0) MDB_INVALID: not an LMDB file", K.DATABASE, {}),
        (
            "Check failed: status.ok() Failed to open leveldb data/train",
            K.DATABASE,
            {"file": "data/train"},
        ),
        (
            "Cannot write to snapshot prefix 'out/a'.  Make sure that the directory exists and is writeable.",
            K.SNAPSHOT,
            {"file": "out/a"},
        ),
        ("Check failed: proto.SerializeToOstream(&output) ", K.SNAPSHOT, {}),
        (
            "Check failed: layer_data_hid >= 0 (-1 vs. 0) Error saving weights to a_iter_5.caffemodel.h5.",
            K.SNAPSHOT,
            {"file": "a_iter_5.caffemodel.h5"},
        ),
        (
            "Check failed: a.history_size() == history_.size() (8 vs. 10) Incorrect length of history blobs.",
            K.RESUME,
            {"found": "8", "expected": "10"},
        ),
        (
            "Cannot copy param 1 weights from layer 'fc8'; shape mismatch.  Source param shape is 1 1 1 1000 "
            "(1000); target param shape is 20 (20). To learn this layer's parameters from scratch rather "
            "than copying from a saved net, rename the layer.",
            K.WEIGHTS,
            {"layer": "fc8", "param": 1, "found": "1 1 1 1000 (1000)", "expected": "20 (20)"},
        ),
        (
            "Check failed: target_blobs.size() == source_layer.blobs_size() (2 vs. 1) "
            "Incompatible number of blobs for layer ip2",
            K.WEIGHTS,
            {"layer": "ip2", "found": "2", "expected": "1"},
        ),
        (
            "Check failed: this_blob->shape() == owner_blob->shape() Cannot share param 'w' owned by layer "
            "'a' with layer 'b'; shape mismatch.  Owner layer param shape is 3 4 (12); sharing layer expects "
            "shape 4 3 (12)",
            K.NET,
            {"blob": "w", "layer": "b", "expected": "3 4 (12)", "found": "4 3 (12)"},
        ),
        (
            "Check failed: registry.count(type) == 1 (0 vs. 1) Unknown layer type: Convolutoin (known types: "
            "AbsVal, Accuracy)",
            K.NET,
            {"found": "Convolutoin"},
        ),
        (
            "Unknown bottom blob 'poolX' (layer 'ip1', bottom index 0)",
            K.NET,
            {"blob": "poolX", "layer": "ip1", "param": 0},
        ),
        ("Top blob 'conv1' produced by multiple sources.", K.NET, {"blob": "conv1"}),
        ("Unknown learning rate policy: setp", K.SOLVER, {"found": "setp"}),
        (
            "Check failed: registry.count(type) == 1 (0 vs. 1) Unknown solver type: Adm (known types: SGD)",
            K.SOLVER,
            {"found": "Adm"},
        ),
        (
            "Check failed: outer_num_ * inner_num_ == bottom[1]->count() (64 vs. 640) Number of labels must "
            "match number of predictions; e.g., if softmax axis == 1",
            K.NET,
            {"found": "64", "expected": "640"},
        ),
        (
            "Check failed: bottom[0]->shape() == bottom[i]->shape() bottom[0]: 1 8 4 4 (128), bottom[1]: "
            "1 8 5 5 (200)",
            K.NET,
            {"param": 1, "expected": "1 8 4 4 (128)", "found": "1 8 5 5 (200)"},
        ),
        (
            "Check failed: ExactNumBottomBlobs() == bottom.size() (2 vs. 1) Accuracy Layer takes 2 bottom "
            "blob(s) as input.",
            K.NET,
            {"found": "2", "expected": "1"},
        ),
        (
            "Check failed: datum_height >= crop_size (28 vs. 227) ",
            K.DATA,
            {"found": "28", "expected": "227"},
        ),
        ("Check failed: H5LTfind_dataset(f, d) Failed to find HDF5 dataset label", K.DATA, {"blob": "label"}),
        (
            "Check failed: param_.test_iter_size() == num_test_nets (1 vs. 2) test_iter must be specified "
            "for each test network.",
            K.SOLVER,
            {"found": "1"},
        ),
        ("ERROR: unknown command line flag 'solvr'", K.USAGE, {}),
        ("Check failed: FLAGS_solver.size() > 0 (0 vs. 0) Need a solver definition to train.", K.USAGE, {}),
        ("SIGSEGV", K.SIGNAL, {}),
        ("SIGKILL", K.SIGNAL, {}),
        ("KeyboardInterrupt", K.SIGNAL, {}),
        ("KeyError: 'new_bbox_pred'", K.PYTHON, {}),
        ("ImportError: No module named skimage.io", K.PYTHON, {"blob": "skimage.io"}),
        ("Traceback (most recent call last):", K.PYTHON, {}),
        ("Check failed: a == b (3 vs. 4) something else", K.OTHER, {"found": "3", "expected": "4"}),
        ("nothing that is known", K.OTHER, {}),
        ("", K.OTHER, {}),
    ],
)  # fmt: skip
def test_texts(text: str, kind: Kind, parts: dict[str, Any]) -> None:
    reason = decode(text)
    assert reason.kind is kind
    assert {name: getattr(reason, name) for name in parts} == parts
    assert reason.hint and (kind is K.OTHER) == (reason.hint == SEE_LOG)
    # A blank less or more, as builds differ, changes nothing.
    assert decode(text.replace(")  ", ") ").replace(".  ", ". ")).kind is kind


@pytest.mark.parametrize(
    ("complaint", "line", "column", "words"),
    [
        (
            'Error parsing text-format caffe.NetParameter: 82:16: Message type "caffe.ConvolutionParameter" '
            'has no field named "num_outputs".',
            82,
            16,
            "Correct the name",
        ),
        (
            'Error parsing text-format caffe.NetParameter: 1:21: Non-repeated field "base_lr" is specified '
            "multiple times.",
            1,
            21,
            "once only",
        ),
        ("Error parsing text-format caffe.NetParameter: 3:1: Expected identifier, got: }", 3, 1, "missing"),
    ],
)
def test_syntax(complaint: str, line: int, column: int, words: str) -> None:
    text = "Check failed: ReadProtoFromTextFile(f, p) Failed to parse NetParameter file: a/net.prototxt"
    reason = decode(text, complaint, "conv1")
    assert (reason.kind, reason.file, reason.line, reason.column) == (
        K.SYNTAX,
        "a/net.prototxt",
        line,
        column,
    )
    assert complaint.endswith(reason.text)
    assert words in reason.hint
    assert reason.layer is None
    assert "damaged" in decode(text).hint


def test_a_layer_is_named_only_where_it_may_matter() -> None:
    assert decode("Check failed: K_ == dim (3 vs. 4) Input size incompatible", layer="ip1").layer == "ip1"
    assert decode("Unknown bottom blob 'x' (layer 'y', bottom index 0)", layer="ip1").layer == "y"
    assert decode("SIGTERM", layer="ip1").layer is None
    assert decode("Unknown learning rate policy: x", layer="ip1").layer is None


def test_every_hint_is_one_sentence_or_two() -> None:
    for _, _, hint in TABLE:
        assert hint.endswith(".") and len(hint) < 120 and "\n" not in hint


OWN = {
    "bvlc1.0-dq": (K.BUILD, {}),
    "bvlc1.0-gpu_on_cpu": (K.BUILD, {}),
    "bvlc1.0-missing_lmdb": (K.DATABASE, {"layer": "mnist"}),
    "bvlc1.0-nodir": (K.SIGNAL, {}),
    "bvlc1.0-nosolver": (K.FILE, {"file": "nope.prototxt"}),
    "bvlc1.0-shape": (
        K.WEIGHTS,
        {"layer": "ip1", "param": 0, "found": "500 800 (400000)", "expected": "400 800 (320000)"},
    ),
    "bvlc1.0-sigterm": (K.SIGNAL, {}),
    "bvlc1.0-typo": (K.SYNTAX, {"file": "typo_net.prototxt", "line": 82, "column": 16}),
    "bvlc1.0-unknown_bottom": (K.NET, {"layer": "ip1", "blob": "poolX"}),
}
OTHERS = {
    "bvlc2016-adadelta-checkfail": (K.FILE, {"file": "caffenet128_lsuv_adadelta.prototxt"}),
    "bvlc2018-captcha-abort": (K.FILE, {"file": "./data/captcha/trainning.list", "layer": "data"}),
    "glogfile2014-fatal": (K.FILE, {"layer": "data"}),
    "glogfile2015-fatal-midrun": (K.SNAPSHOT, {}),
    "glogfile2016-errorfile": (K.FILE, {"file": "models/deeplab/solve_no_HHA.prototxt"}),
    "issue-crfrnn39-missing-space-fatal": (K.DEVICE, {"found": "11"}),
    "issue-dgdreid1-two-processes-oom": (K.MEMORY, {}),
    "issue-fastrcnn90-traceback": (K.PYTHON, {}),
    "ssd2018-fatal-start": (K.DATABASE, {"layer": "data"}),
    "bvlc2016-sigterm": (K.SIGNAL, {}),
}


@pytest.mark.parametrize("name", [*OWN, *OTHERS])
def test_real_logs(name: str) -> None:
    path = (FIXTURES if name in OWN else PUBLIC) / f"{name}.log"
    if not path.exists():
        pytest.skip("other people's logs are not here")
    kind, parts = (OWN | OTHERS)[name]
    failed = [run for run in parse(path.read_bytes()).runs if run.ending is Ending.FAILED]
    reason = failed[0].reason
    assert reason is not None and reason.kind is kind
    assert {part: getattr(reason, part) for part in parts} == parts


def reason_of(log: str) -> Any:
    run = parse(log.encode()).runs[-1]
    assert run.ending is Ending.FAILED
    return run.reason


def test_exceptions_of_c_plus_plus() -> None:
    log = glog("Starting Optimization") + "terminate called after throwing an instance of 'std::bad_alloc'\n"
    log += (
        "  what():  std::bad_alloc\n"
        + "*** SIGABRT (@0x1) received by PID 1 (TID 1) from PID 1; stack trace: ***\n"
    )
    reason = reason_of(log)
    assert (reason.kind, reason.text) == (
        K.MEMORY,
        "after throwing an instance of 'std::bad_alloc': std::bad_alloc",
    )


TRACEBACK = """Traceback (most recent call last):
  File "train.py", line 9, in <module>
    main()
  File "lib/layers.py", line 41, in forward
    top[0].data[...] = bottom[0].data * self.missing
AttributeError: 'Scale' object has no attribute 'missing'
"""


def test_exceptions_of_python() -> None:
    reason = reason_of(glog("Starting Optimization") + TRACEBACK)
    assert reason.kind is K.PYTHON
    assert reason.text == "AttributeError: 'Scale' object has no attribute 'missing'"
    assert (reason.file, reason.line) == ("lib/layers.py", 41)
    chained = TRACEBACK + "\nDuring handling of the above exception, another exception occurred:\n\n"
    chained += TRACEBACK.replace("AttributeError", "ValueError").replace("41", "43")
    reason = reason_of(glog("Starting Optimization") + chained)
    assert (reason.text.partition(":")[0], reason.line) == ("ValueError", 43)
    # It was caught, or is another process's: the training goes on.
    log = (
        glog("Starting Optimization")
        + glog("Iteration 0, loss = 1")
        + TRACEBACK
        + glog("Iteration 20, loss = 1")
    )
    assert parse(log.encode()).runs[0].ending is Ending.OPEN


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("Killed", "SIGKILL"),
        ("Segmentation fault (core dumped)", "SIGSEGV"),
        ("Aborted (core dumped)", "SIGABRT"),
        ("./train.sh: line 12: 31578 Killed                  caffe train --solver=s.prototxt", "SIGKILL"),
        ("run: line 3:  4711 Bus error               (core dumped) caffe train", "SIGBUS"),
    ],
)
def test_what_a_shell_says(words: str, name: str) -> None:
    log = glog("Starting Optimization") + glog("Iteration 0, loss = 1") + words + "\n"
    reason = reason_of(log)
    assert (reason.kind, reason.text) == (K.SIGNAL, name)


def test_words_that_only_look_like_an_end() -> None:
    log = glog("Iteration 0, loss = 1") + "Killed 3 zombies\nAborted retries: 4\nonline 4: 12 Killed\n"
    assert parse(log.encode()).runs[0].ending is Ending.OPEN


def test_a_newer_protobuf_gives_the_place_too() -> None:
    log = glog("Use CPU.") + (
        "E0000 00:00:1795402000.123456   31578 text_format.cc:403] Error parsing text-format "
        'caffe.SolverParameter: 7:9: Message type "caffe.SolverParameter" has no field named "base_rl".\n'
    )
    log += glog(
        "Check failed: ReadProtoFromTextFile(f, p) Failed to parse SolverParameter file: s.prototxt",
        level="F",
    )
    reason = reason_of(log)
    assert (reason.kind, reason.file, reason.line, reason.column) == (K.SYNTAX, "s.prototxt", 7, 9)


def test_no_text_takes_long() -> None:
    shared = "Cannot share param 'a' owned by layer 'b' with layer 'c' " + "Owner layer param shape is ;" * 60
    for text in (
        "(" * 2000,
        shared,
        "Check failed: " + "(1 vs. " * 280,
        "a" * 2000,
        "File not found: " * 120,
        " " * 2000,
    ):
        began = time.process_time()
        decode(text, text, text)
        assert time.process_time() - began < 0.5


def test_patterns_have_only_known_groups() -> None:
    known = {
        "layer",
        "blob",
        "b2",
        "param",
        "file",
        "file2",
        "expected",
        "e2",
        "found",
        "f2",
        "axis",
        "message",
    }
    for _, pattern, _ in TABLE:
        assert set(re.compile(pattern).groupindex) <= known
