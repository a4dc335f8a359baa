"""The command line: flags, exit codes, and the last words of runs that cannot work."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from barista_engine import flags
from barista_engine.glog import Glog, number

from .golden_logs import FIXTURES, NET, SOLVER, messages, read_lines, run_caffe, write_digits, write_project

LOGS = FIXTURES / "logs"
ABORTED = -6  # by SIGABRT, which a shell shows as 134

needs_no_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")


def test_usage_without_a_command(tmp_path: Path) -> None:
    done = run_caffe(cwd=tmp_path)
    assert done.returncode == 0
    assert all(name in done.stdout.decode() for name in ("train", "test", "time", "device_query", "-solver"))


def test_version_and_help(tmp_path: Path) -> None:
    done = run_caffe("--version", cwd=tmp_path)
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, b"caffe version 1.0.0")
    assert run_caffe("train", "--help", cwd=tmp_path).stdout.startswith(b"cli.py: command line brew")


def test_help_answers_without_loading_torch(tmp_path: Path) -> None:
    code = "import sys; sys.argv = ['caffe', '--help']; from barista_engine.cli import main; main(); "
    code += "sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True).returncode == 0


def test_unknown_flag(tmp_path: Path) -> None:
    done = run_caffe("train", "--frobnicate=3", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, b"ERROR: unknown command line flag 'frobnicate'\n")


def test_unknown_command(tmp_path: Path) -> None:
    done = run_caffe("brew", cwd=tmp_path)
    assert done.returncode == ABORTED
    assert messages(done.stderr)[-1] == "Unknown action: brew"


def test_missing_solver_ends_as_caffe_ends(tmp_path: Path) -> None:
    done = run_caffe("train", "--solver=nope.prototxt", cwd=tmp_path)
    assert done.returncode == ABORTED
    golden = (LOGS / "bvlc1.0-nosolver.log").read_bytes()
    assert read_lines(done.stderr)[:2] == read_lines(golden)[:2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train"], "Need a solver definition to train."),
        (["train", "--solver=s", "--snapshot=a", "--weights=b"], "but not both."),
        (["test"], "Need a model definition to score."),
        (["test", "--model=m"], "Need model weights to score."),
        (["time"], "Need a model definition to time."),
        (["time", "--model=m", "--phase=test"], 'phase must be "TRAIN" or "TEST"'),
    ],
)
def test_commands_say_what_they_need(arguments: list[str], message: str, tmp_path: Path) -> None:
    done = run_caffe(*arguments, cwd=tmp_path)
    assert done.returncode == ABORTED
    assert messages(done.stderr)[-1].endswith(message)
    assert b"\n*** Check failure stack trace: ***\n    @ " in done.stderr


@needs_no_gpu
def test_gpu_asked_for_where_there_is_none(tmp_path: Path) -> None:
    (tmp_path / "solver.prototxt").write_text(SOLVER.format(max_iter=1, snapshot=0) + "solver_mode: GPU")
    for arguments, name in (
        (["device_query", "--gpu=0"], "dq"),
        (["train", "--solver=solver.prototxt"], "gpu_on_cpu"),
    ):
        done = run_caffe(*arguments, cwd=tmp_path)
        golden = (LOGS / f"bvlc1.0-{name}.log").read_bytes()
        assert done.returncode == ABORTED
        wanted = read_lines(golden)[:3]
        place = next(i for i, line in enumerate(wanted) if line.level == "F")
        said = read_lines(done.stderr)
        assert said[:place] == wanted[:place]
        # Caffe's words, and behind them what to do.
        assert said[place].text.startswith(wanted[place].text)
        assert (said[place].level, said[place].file) == ("F", wanted[place].file)


def test_missing_database_ends_as_caffe_ends(tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "solver.prototxt").write_text(SOLVER.format(max_iter=1, snapshot=0))
    done = run_caffe("train", "--solver=solver.prototxt", cwd=tmp_path)
    golden = messages((LOGS / "bvlc1.0-missing_lmdb.log").read_bytes())
    assert done.returncode == ABORTED
    assert messages(done.stderr)[-1] == golden[-1]
    assert b"\n    @ layer data, train\n" in done.stderr


def test_typo_in_a_net_ends_as_caffe_ends(tmp_path: Path) -> None:
    (tmp_path / "typo_net.prototxt").write_text(NET.replace("num_output", "num_outputs"))
    text = SOLVER.format(max_iter=1, snapshot=0).replace("net.prototxt", "typo_net.prototxt")
    (tmp_path / "solver.prototxt").write_text(text)
    done = run_caffe("train", "--solver=solver.prototxt", cwd=tmp_path)
    assert done.returncode == ABORTED
    golden = (LOGS / "bvlc1.0-typo.log").read_bytes()
    assert messages(done.stderr) == messages(golden)
    place = re.compile(rb"^(\[libprotobuf ERROR .*caffe.NetParameter: )\d+:\d+(.*\.)", re.MULTILINE)
    wanted = place.search(golden.replace(b"ConvolutionParameter", b"InnerProductParameter"))
    found = place.search(done.stderr)
    assert found is not None and wanted is not None
    assert found.group(1) == wanted.group(1)
    assert found.group(2).startswith(wanted.group(2))


def test_missing_snapshot_directory_is_found_before_training(tmp_path: Path) -> None:
    text = SOLVER.format(max_iter=1, snapshot=5).replace('"run"', '"no/such/run"')
    (tmp_path / "solver.prototxt").write_text(text)
    done = run_caffe("train", "--solver=solver.prototxt", cwd=tmp_path)
    assert done.returncode == ABORTED
    assert messages(done.stderr)[-1] == (
        "Cannot write to snapshot prefix 'no/such/run'.  Make sure that the directory exists and is writable."
    )


def test_an_error_nobody_foresaw_still_ends_with_an_f_line(tmp_path: Path) -> None:
    write_digits(tmp_path / "train", 20)
    write_digits(tmp_path / "test", 20)
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "solver.prototxt").write_text(SOLVER.format(max_iter=1, snapshot=0))
    (tmp_path / "broken.caffemodel").mkdir()
    done = run_caffe("train", "--solver=solver.prototxt", "--weights=broken.caffemodel", cwd=tmp_path)
    assert done.returncode == ABORTED
    assert read_lines(done.stderr)[-1].level == "" and b"\nF2" in done.stderr
    assert "broken.caffemodel" in messages(done.stderr)[-1]


def test_scoring_and_timing(tmp_path: Path) -> None:
    write_project(tmp_path, max_iter=60)
    assert run_caffe("train", "--solver=solver.prototxt", cwd=tmp_path).returncode == 0
    model = ["--model=net.prototxt", "--iterations", "3"]
    scored = messages(run_caffe("test", *model, "-weights", "run_iter_60.caffemodel", cwd=tmp_path).stderr)
    shape = [re.sub(r"-?\d+\.?\d*(e-\d+)?", "#", text) for text in scored[-9:]]
    golden = messages((LOGS / "bvlc1.0-test.log").read_bytes())[-10:]
    assert shape == [re.sub(r"-?\d+\.?\d*(e-\d+)?", "#", text) for text in golden][-9:]
    assert float(scored[-2].removeprefix("accuracy = ")) > 0.9

    timed = messages(run_caffe("time", *model, cwd=tmp_path).stderr)
    assert timed[timed.index("*** Benchmark begins ***") + 1] == "Testing for 3 iterations."
    per_layer = [text for text in timed if "\tforward: " in text or "\tbackward: " in text]
    assert [text.split("\t")[0] for text in per_layer[::2]] == [
        f"{name:>10}" for name in ("data", "ip1", "relu1", "ip2", "loss")
    ]
    assert timed[-1] == "*** Benchmark ends ***"


def test_flag_forms(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("# comment\n--iterations=7\n\n--of_another_program=1\n-gpu=0,1\n")
    arguments = [
        "train",
        "-solver",
        "a=b",
        f"--flagfile={tmp_path / 'file'}",
        "--nologtostderr",
        "--level=0x10",
        "--undefok=a,b",
        "--a=3",
    ]
    values, words = flags.parse(arguments)
    assert words == ["train"]
    assert (values["solver"], values["iterations"], values["gpu"]) == ("a=b", 7, "0,1")
    assert (values["logtostderr"], values["level"], values["sigint_effect"]) == (False, 16, "stop")


def test_flags_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLAGS_solver", "s")
    monkeypatch.setenv("FLAGS_level", "3")
    values, _ = flags.parse(["--fromenv=solver", "--tryfromenv=level,stage", "--stage=a"])
    assert (values["solver"], values["level"], values["stage"]) == ("s", 3, "a")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--iterations=ten"], "illegal value 'ten' specified for int32 flag 'iterations'"),
        (["--iterations=2147483648"], "illegal value '2147483648' specified for int32 flag 'iterations'"),
        (["--logtostderr=maybe"], "illegal value 'maybe' specified for bool flag 'logtostderr'"),
        (["--solver"], "flag '--solver' is missing its argument"),
        (["--nosolver"], "boolean value (nosolver) specified for string command line flag"),
        (["---solver=a"], "unknown command line flag '-solver'"),
        (["--undefok=a,b", "--c=1"], "unknown command line flag 'c'"),
        (["--fromenv=stage"], "FLAGS_stage not found in environment"),
        (["--flagfile=/no/such/file"], "cannot read flagfile"),
    ],
)
def test_wrong_flags(arguments: list[str], message: str) -> None:
    with pytest.raises(flags.FlagError, match=re.escape(message)):
        flags.parse(arguments)


@given(st.lists(st.text(max_size=12), max_size=6))
def test_any_command_line_is_read_or_refused(arguments: list[str]) -> None:
    try:
        values, words = flags.parse(arguments)
    except flags.FlagError:
        return
    assert set(values) == {flag.name for flag in flags.FLAGS + flags.GLOG_FLAGS + flags.BASE_FLAGS}
    assert all(word in arguments for word in words)


def test_log_switches_of_glog(tmp_path: Path) -> None:
    short = run_caffe("train", "--solver=nope", cwd=tmp_path, GLOG_log_year_in_prefix="0").stderr
    assert re.match(rb"F\d{4} \d\d:\d\d:\d\d\.\d{6} +\d+ io\.cpp:36\] Check failed: ", short)
    quiet = run_caffe("device_query", cwd=tmp_path, GLOG_minloglevel="1")
    assert (quiet.returncode, quiet.stderr) == (0, b"")


def test_a_message_is_one_write_with_one_newline_at_its_end(tmp_path: Path) -> None:
    with (tmp_path / "log").open("wb") as file:
        log = Glog(fd=file.fileno(), prefix=False)
        log.info("a.cpp:1", "dump:\nx: 1\n")
        log.warning("a.cpp:1", "text")
    assert (tmp_path / "log").read_text() == "dump:\nx: 1\ntext\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234567.0, "1.23457e+06"),
        (1e-7, "1e-07"),
        (116012.0, "116012"),
        (0.0, "0"),
        (float("nan"), "nan"),
        (-float("nan"), "-nan"),
        (-float("inf"), "-inf"),
        (0.00999999977648, "0.01"),
    ],
)
def test_numbers_as_a_cpp_stream_prints_them(value: float, text: str) -> None:
    assert number(value) == text
