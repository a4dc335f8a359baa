"""Edits of single fields: the rest of the text stays, byte for byte, and the result says what was wanted."""

import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from barista_server.caffe import prototxt
from barista_server.caffe.edit import EditError, remove_field, set_field
from barista_server.caffe.prototxt import PrototxtError
from barista_server.caffe.schema import NetParameter, SolverParameter
from barista_server.caffe.tolerant import parse_tolerant

SOLVER = """# a solver
net: "net.prototxt"   # the net
base_lr: 0.01; momentum: 0.9

stepvalue: 100
stepvalue: 200  # twice
weights: "a" 'b'
gamma:
  # split
  -0.5
test_iter: [ 10, 20 ]
solver_mode: CPU"""

NET = """name: "n"
layer { name: "d" type: "Input" top: "d" input_param { shape: { dim: [1, 2] } } }
layer {
  name: "c"  # conv
  type: "Convolution"
  convolution_param {
    num_output: 3 kernel_size: 5
    # the filler
    weight_filler { type: "xavier" }
  }
  # the end
}
layer { }
"""


@pytest.mark.parametrize(
    ("path", "value", "old", "new"),
    [
        ("base_lr", 0.5, "base_lr: 0.01;", "base_lr: 0.5;"),
        ("net", 'a"b', '"net.prototxt"', '"a\\"b"'),
        ("stepvalue[1]", 300, "stepvalue: 200", "stepvalue: 300"),
        ("weights", "c", "\"a\" 'b'", '"c"'),
        ("gamma", 0.25, "-0.5", "0.25"),
        ("test_iter[1]", 7, "20 ]", "7 ]"),
        ("solver_mode", "GPU", "CPU", "GPU\n".strip()),
        ("max_iter", 9, "CPU", "CPU\nmax_iter: 9\n"),
        ("stepvalue[2]", 9, "CPU", "CPU\nstepvalue: 9\n"),
        ("snapshot_diff", True, "CPU", "CPU\nsnapshot_diff: true\n"),
        ("train_state.level", 2, "CPU", "CPU\ntrain_state {\n  level: 2\n}\n"),
    ],
)
def test_setting_a_field_of_a_solver(path: str, value: object, old: str, new: str) -> None:
    assert SOLVER.count(old) == 1
    assert set_field(SOLVER, SolverParameter, path, value) == SOLVER.replace(old, new)
    crlf = SOLVER.replace("\n", "\r\n")
    expected = SOLVER.replace(old, new).replace("\n", "\r\n")
    assert set_field(crlf, SolverParameter, path, value) == expected


@pytest.mark.parametrize(
    ("path", "value", "old", "new"),
    [
        ("layer[1].convolution_param.kernel_size", 7, "kernel_size: 5", "kernel_size: 7"),
        ("layer[1].convolution_param.group", 3, '"xavier" }\n', '"xavier" }\n    group: 3\n'),
        ("layer[1].convolution_param.weight_filler.std", 2.0, '"xavier" }', '"xavier" std: 2 }'),
        ("layer[1].bottom", "d", "  # the end\n", '  # the end\n  bottom: "d"\n'),
        ("layer[0].phase", "TEST", "} } }\n", "} } phase: TEST }\n"),
        ("layer[0].input_param.shape.dim[1]", 9, "[1, 2]", "[1, 9]"),
        ("layer[0].input_param.shape.dim[2]", 9, "[1, 2]", "[1, 2] dim: 9"),
        ("layer[2].relu_param.negative_slope", 0.5, "{ }", "{ relu_param { negative_slope: 0.5 } }"),
        (
            "layer[1].param.lr_mult",
            2,
            "  # the end\n",
            "  # the end\n  param {\n    lr_mult: 2\n  }\n",
        ),
        ("layer[3].name", "z", "layer { }\n", 'layer { }\nlayer {\n  name: "z"\n}\n'),
    ],
)
def test_setting_a_field_of_a_layer(path: str, value: object, old: str, new: str) -> None:
    assert NET.count(old) == 1
    assert set_field(NET, NetParameter, path, value) == NET.replace(old, new)


@pytest.mark.parametrize(
    ("text", "cls", "path", "old", "new"),
    [
        (SOLVER, SolverParameter, "net", 'net: "net.prototxt"   # the net', "# the net"),
        (SOLVER, SolverParameter, "base_lr", "base_lr: 0.01; ", ""),
        (SOLVER, SolverParameter, "momentum", " momentum: 0.9", ""),
        (SOLVER, SolverParameter, "stepvalue", "stepvalue: 100\n", ""),
        (SOLVER, SolverParameter, "stepvalue[1]", "stepvalue: 200  # twice", "# twice"),
        (SOLVER, SolverParameter, "test_iter", "10, 20", "20"),
        (SOLVER, SolverParameter, "test_iter[1]", "10, 20", "10"),
        (SOLVER, SolverParameter, "solver_mode", "solver_mode: CPU", ""),
        (NET, NetParameter, "layer[2]", "layer { }\n", ""),
        (NET, NetParameter, "layer[1].convolution_param.num_output", "num_output: 3 ", ""),
        (NET, NetParameter, "layer[1].convolution_param.kernel_size", " kernel_size: 5", ""),
        (NET, NetParameter, "layer[0].input_param", " input_param { shape: { dim: [1, 2] } }", ""),
    ],
)
def test_removing_a_field(text: str, cls: type[Message], path: str, old: str, new: str) -> None:
    assert text.count(old) == 1
    assert remove_field(text, cls, path) == text.replace(old, new)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("base_lrr", 1, 'has no field base_lrr (did you mean "base_lr"?)'),
        ("base_lr", "much", "base_lr: "),
        ("solver_mode", "TPU", "solver_mode is one of CPU, GPU, not TPU"),
        ("stepvalue[3]", 1, "there is no stepvalue[3]"),
        ("base_lr[1]", 1, "there is no base_lr[1]"),
        ("train_state", 1, "train_state is a block"),
        ("base_lr.x", 1, "base_lr is no block"),
        ("base lr", 1, "is no path of a field"),
    ],
)
def test_what_cannot_be_set(path: str, value: object, message: str) -> None:
    with pytest.raises(EditError) as caught:
        set_field(SOLVER, SolverParameter, path, value)
    assert message in str(caught.value)


def test_what_cannot_be_removed_and_broken_texts() -> None:
    with pytest.raises(EditError, match="there is no max_iter"):
        remove_field(SOLVER, SolverParameter, "max_iter")
    with pytest.raises(PrototxtError):
        set_field("base_lr: {", SolverParameter, "base_lr", 1)
    assert set_field("", SolverParameter, "base_lr", 1) == "base_lr: 1\n"


blanks = st.sampled_from(["", " ", "\n", "  \n\t", " # note: {\n", "\n#\n\n"])
gaps = st.sampled_from([" ", "\n", "  \n\t", " # note: {\n", ", ", ";", " ;\n"])
scalars = st.sampled_from([
    ("base_lr", "0.5"), ("display", "7"), ("net", "'n' \"t\""), ("type", '"#}"'), ("solver_mode", "GPU"),
    ("power", "-2"), ("random_seed", "-5"), ("test_initialization", "false"),
])  # fmt: skip


@st.composite
def solver_texts(draw: st.DrawFn) -> str:
    """Texts with fields, lists and blocks in any order, spaced and commented at will."""
    pieces = []
    for name, value in draw(st.lists(scalars, unique_by=lambda item: item[0])):
        pieces.append(f"{name}{draw(blanks)}:{draw(blanks)}{value}")
    steps = draw(st.lists(st.integers(0, 9), max_size=3))
    pieces += [f"stepvalue:{draw(blanks)}{value}" for value in steps]
    if draw(st.booleans()):
        pieces.append(f"test_iter: [{draw(blanks)}1{draw(blanks)},{draw(blanks)}2{draw(blanks)}]")
    if draw(st.booleans()):
        opening, closing = draw(st.sampled_from(["{}", "<>"]))
        inner = draw(st.sampled_from(["", "level: 1", "stage: 'a' stage: 'b'", "phase: TEST"]))
        pieces.append(f"train_state{draw(blanks)}{opening}{draw(blanks)}{inner}{draw(blanks)}{closing}")
    draw(st.randoms(use_true_random=False)).shuffle(pieces)
    text = draw(blanks)
    for piece in pieces:
        text += piece + draw(gaps)
    return text + draw(st.sampled_from(["", "# end", "\n"]))


def one_piece(short: str, long: str) -> bool:
    """Whether the long text is the short one with something put in at one place."""
    return any(
        short[:cut] + long[cut : cut + len(long) - len(short)] + short[cut:] == long
        for cut in range(len(short) + 1)
    )


@given(solver_texts(), st.sampled_from([
    ("base_lr", 0.25), ("display", 3), ("net", "x\ny"), ("solver_mode", "CPU"), ("power", -1.5),
    ("train_state.level", 4), ("train_state.phase", "TRAIN"), ("average_loss", 2),
]))  # fmt: skip
def test_any_field_can_be_set_and_taken_out_again(text: str, change: tuple[str, object]) -> None:
    path, value = change
    wanted = prototxt.parse(text, SolverParameter)
    holder, _, name = path.rpartition(".")
    message = wanted.train_state if holder else wanted
    had = message.HasField(name)  # type: ignore[arg-type]
    there = not holder or wanted.HasField("train_state")
    enum = message.DESCRIPTOR.fields_by_name[name].enum_type
    setattr(message, name, enum.values_by_name[str(value)].number if enum else value)

    changed = set_field(text, SolverParameter, path, value)
    assert prototxt.parse(changed, SolverParameter) == wanted
    assert changed.count("#") >= text.count("#")
    if not had:
        assert one_piece(text, changed) or one_piece(text.rstrip("\n") + "\n", changed)
    again = remove_field(changed, SolverParameter, path)
    assert one_piece(again, changed)
    if not had and there:
        assert prototxt.parse(again, SolverParameter) == prototxt.parse(text, SolverParameter)


@given(solver_texts(), st.data())
def test_removal_takes_out_one_piece(text: str, data: st.DataObject) -> None:
    message = prototxt.parse(text, SolverParameter)
    paths = [
        f"{field.name}[{index}]"
        for field, value in message.ListFields()
        for index in range(len(value) if field.is_repeated else 1)
    ]
    if paths:
        shorter = remove_field(text, SolverParameter, data.draw(st.sampled_from(paths)))
        assert one_piece(shorter, text) and shorter != text


@given(solver_texts(), st.binary(max_size=4), st.integers(0, 200))
def test_damaged_texts_are_refused_or_edited(text: str, noise: bytes, place: int) -> None:
    damaged = text[:place] + noise.decode("latin-1") + text[place:]
    try:
        changed = set_field(damaged, SolverParameter, "display", 5)
    except (PrototxtError, EditError):
        return
    assert parse_tolerant(changed, SolverParameter)[0].display == 5


FORKED = """# of a fork
name: "n"  global_grad_scale: 1000 # kept
layer {
  name: "p" type: "Pooling" forward_type: FLOAT16
  pooling_param { pool: DEF  kernel_size: 2; zoom: [1, 2] }  # to here
  extras { deep < a: "}" > }
}
boost: -1
"""


@pytest.mark.parametrize(
    ("path", "value", "old", "new"),
    [
        ("name", "m", '"n"', '"m"'),
        ("layer.pooling_param.kernel_size", 3, "kernel_size: 2", "kernel_size: 3"),
        ("layer.pooling_param.pool", "AVE", "pool: DEF", "pool: AVE"),
        ("layer.pooling_param.stride", 2, "zoom: [1, 2] }", "zoom: [1, 2] stride: 2 }"),
        ("layer.top", "t", " > }\n", ' > }\n  top: "t"\n'),
        ("force_backward", True, "boost: -1\n", "boost: -1\nforce_backward: true\n"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_what_only_a_fork_understands_stays(path: str, value: object, old: str, new: str, mark: str) -> None:
    assert set_field(mark + FORKED, NetParameter, path, value) == mark + FORKED.replace(old, new)


@pytest.mark.parametrize(
    ("path", "gone"),
    [
        ("name", 'name: "n"  '),
        ("global_grad_scale", " global_grad_scale: 1000"),
        ("layer.forward_type", " forward_type: FLOAT16"),
        ("layer.pooling_param.zoom", " zoom: [1, 2]"),
        ("layer.pooling_param.pool", "pool: DEF  "),
        ("layer.extras", '  extras { deep < a: "}" > }\n'),
        ("boost", "boost: -1\n"),
        ("layer.pooling_param.kernel_size", "kernel_size: 2; "),
    ],
)
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_fields_of_forks_can_be_removed(path: str, gone: str, mark: str) -> None:
    assert remove_field(mark + FORKED, NetParameter, path) == mark + FORKED.replace(gone, "", 1)


def test_a_layer_is_removed_with_what_it_has_of_a_fork() -> None:
    changed = remove_field(FORKED, NetParameter, "layer")
    assert changed == '# of a fork\nname: "n"  global_grad_scale: 1000 # kept\nboost: -1\n'


def test_fields_of_forks_cannot_be_set() -> None:
    for path in ("boost", "layer.zoom", "layer.extras.deep"):
        with pytest.raises(EditError, match="has no field"):
            set_field(FORKED, NetParameter, path, 1)
    with pytest.raises(EditError, match="has no field extras"):
        remove_field(FORKED, NetParameter, "layer.extras.deep")
