"""Prototxt: what Caffe accepts is read, what it refuses is placed, text comes out as in its logs."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barista_server.caffe import prototxt
from barista_server.caffe.prototxt import PrototxtError
from barista_server.caffe.schema import LayerParameter, NetParameter, NetState, SolverParameter

FIXTURES = Path(__file__).parent.parent / "fixtures"
LOGS = sorted([*FIXTURES.glob("golden/solvers/*.log"), *FIXTURES.glob("logs/bvlc1.0-*.log")])
DUMP = r"{}: *\n((?:(?![IWEF]\d{{4}}).*\n)+?)(?=[IWEF]\d{{4}})"


def dumps(text: str, title: str) -> list[str]:
    """The prototxt dumps that follow `title` in a log."""
    return re.findall(DUMP.format(title), text)


@pytest.mark.parametrize("log", LOGS, ids=lambda path: path.stem)
def test_text_is_printed_as_in_real_logs(log: Path) -> None:
    text = log.read_text(errors="replace")
    for cls, title in (
        (SolverParameter, "Initializing solver from parameters"),
        (NetParameter, "Initializing net from parameters"),
    ):
        for dump in dumps(text, title):
            assert prototxt.to_text(prototxt.parse(dump, cls)) == dump


def test_the_logs_hold_many_dumps() -> None:
    texts = [log.read_text(errors="replace") for log in LOGS]
    assert sum(len(dumps(text, "Initializing net from parameters")) for text in texts) > 60


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("base_lr: 1.0f", "base_lr: 1\n"),
        ("base_lr: .5 gamma: 5.", "base_lr: 0.5\ngamma: 5\n"),
        (
            "delta: 1e-08 power: 0.00390625 gamma: 123456789",
            "gamma: 123456792\npower: 0.00390625\ndelta: 1e-08\n",
        ),
        ("base_lr: inf gamma: -inf power: nan", "base_lr: inf\ngamma: -inf\npower: nan\n"),
        ("base_lr: 0.1, max_iter: 3; display: 1", "base_lr: 0.1\ndisplay: 1\nmax_iter: 3\n"),
        ("test_iter: [1, 2]", "test_iter: 1\ntest_iter: 2\n"),
        ("solver_mode: 1 snapshot_format: HDF5", "solver_mode: GPU\nsnapshot_format: HDF5\n"),
        ("""net: 'a' "b" 'c'""", 'net: "abc"\n'),
        (r'net: "a\x41\101\n\"\\"', r'net: "aAA\n\"\\"' + "\n"),
        ('net: "é"', 'net: "\\303\\251"\n'),
        ("train_state: { level: 1; }", "train_state {\n  level: 1\n}\n"),
        ("test_state < level: 1 > test_state { }", "test_state {\n  level: 1\n}\ntest_state {\n}\n"),
        ("debug_info: t test_compute_loss: 1", "test_compute_loss: true\ndebug_info: true\n"),
        ("max_iter: 0x10\r\ndisplay: 010 # octal\r\n", "display: 8\nmax_iter: 16\n"),
        ("\ufeffmax_iter: 1", "max_iter: 1\n"),
        ("solver_mode: GPU momentum2: 0.999", "solver_mode: GPU\nmomentum2: 0.999\n"),
        ("", ""),
        ("# nothing but words", ""),
    ],
)
def test_forms_that_caffe_accepts(text: str, printed: str) -> None:
    assert prototxt.to_text(prototxt.parse(text, SolverParameter)) == printed


@pytest.mark.parametrize(
    ("text", "place", "message", "hint"),
    [
        ("max_iter: 1\n  base_lrr: 1", (2, 3), 'no field named "base_lrr"', 'did you mean "base_lr"?'),
        ("Net: 'a'", (1, 1), 'no field named "Net"', 'did you mean "net"?'),
        ("train_state {\n phas: TRAIN }", (2, 2), '"caffe.NetState" has no field', 'did you mean "phase"?'),
        ("base_lr: 1\nbase_lr: 2", (2, 10), 'Non-repeated field "base_lr" is specified', "keep one of them"),
        ("\nsolver_mode: CPUU", (2, 14), "no value named CPUU", 'did you mean "CPU"?'),
        ("solver_mode: 7", (1, 14), "no value with number 7", "one of CPU, GPU"),
        ("train_state {\n  level: 1\n", (2, 10), 'Expected "}"', "a block is not closed"),
        ("max_iter: 1 }", (1, 13), "got }", "there is no open block to close here"),
        ("max_iter: 1 @", (1, 13), "got @", ""),
        ("max_iter: 1 2", (1, 13), 'no field named "2"', ""),
        ("max_iter: 1.5", (1, 11), "Couldn't parse integer: 1.5", ""),
        ("max_iter: 99999999999", (1, 11), "out of range", ""),
        ('net: "abc\n"', (1, 6), "missing ending quote", ""),
        (r'net: "a\\_\_c"', (1, 12), "Invalid escape sequence", r"a backslash is \\"),
        ("net: abc", (1, 6), "Expected string", ""),
        ("base_lr 1", (1, 9), 'Expected ":"', ""),
    ],
)
def test_errors_name_place_and_way_out(text: str, place: tuple[int, int], message: str, hint: str) -> None:
    with pytest.raises(PrototxtError) as caught:
        prototxt.parse(text, SolverParameter, "s.prototxt")
    error = caught.value
    assert (error.line, error.column) == place
    assert message in error.message
    assert error.hint == hint
    assert str(error).startswith(f"s.prototxt:{place[0]}:{place[1]}: {error.message}")


def test_a_missing_required_field_is_an_error() -> None:
    with pytest.raises(PrototxtError, match=r"missing required fields: clip_param\.max"):
        prototxt.parse("clip_param { min: 1 }", LayerParameter)


def test_foreign_bytes_pass_in_comments_only() -> None:
    assert prototxt.parse(b"# \xc4\xe3\xba\xc3 # \nmax_iter: 3 # \xff", SolverParameter).max_iter == 3
    with pytest.raises(PrototxtError) as caught:
        prototxt.parse(b'max_iter: 3 # ok\nnet: "\xc4"', SolverParameter)
    assert (caught.value.line, caught.value.column) == (2, 7)


def test_a_missing_file_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no\.prototxt"):
        prototxt.read(tmp_path / "no.prototxt", SolverParameter)


SAMPLE = (FIXTURES / "golden/solvers/net.prototxt").read_text()


@given(st.binary(max_size=200))
def test_any_bytes_parse_or_give_our_error(data: bytes) -> None:
    try:
        prototxt.to_text(prototxt.parse(data, SolverParameter))
    except PrototxtError as error:
        assert error.line >= 1 and error.column >= 1


@given(st.integers(0, len(SAMPLE)), st.text(alphabet="{}[]<>:;,\"'#\\ \n019.-eLabel_\x00é\ud800", max_size=8))
def test_a_damaged_net_parses_or_gives_our_error(position: int, noise: str) -> None:
    try:
        prototxt.parse(SAMPLE[:position] + noise + SAMPLE[position + len(noise) :], NetParameter)
    except PrototxtError as error:
        assert 1 <= error.line <= SAMPLE.count("\n") + noise.count("\n") + 1


@given(
    st.builds(
        SolverParameter,
        net=st.text(),
        base_lr=st.floats(width=32, allow_nan=False),
        delta=st.floats(width=32, allow_nan=False),
        max_iter=st.integers(-(2**31), 2**31 - 1),
        random_seed=st.integers(-(2**63), 2**63 - 1),
        test_iter=st.lists(st.integers(0, 9), max_size=3),
        solver_mode=st.sampled_from([0, 1]),
        debug_info=st.booleans(),
        train_state=st.builds(NetState, stage=st.lists(st.text(), max_size=2)),
    )
)
def test_what_is_printed_reads_back_the_same(solver: SolverParameter) -> None:
    assert prototxt.parse(prototxt.to_text(solver), SolverParameter) == solver


def test_a_field_of_a_fork_is_called_one() -> None:
    with pytest.raises(PrototxtError) as caught:
        prototxt.parse("layer { param {\n larc: true } }", NetParameter)
    assert (caught.value.line, caught.value.hint) == (2, "Caffe 1.0 has no such field; a fork may")
    assert 'no field named "larc"' in caught.value.message
