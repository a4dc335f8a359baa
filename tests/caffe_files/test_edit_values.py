"""Fields set by what a person types, and what forms know of every field there is."""

from collections.abc import Iterator

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from barista_server.caffe.edit import EditError
from barista_server.caffe.edit_values import changed_fields, put_text
from barista_server.caffe.fields import SOLVER_GROUPS, blocks_of, default_of, field_docs, full_name
from barista_server.caffe.layer_types import LAYER_TYPES
from barista_server.caffe.prototxt import parse
from barista_server.caffe.rewriting import renewed
from barista_server.caffe.schema import LayerParameter, NetParameter, SolverParameter, V1LayerParameter

SOLVER = """# ours
base_lr: 0.01   # slow
lr_policy: "step"
stepvalue: 100
stepvalue: 200 # twice
test_iter: [ 10, 20 ]
snapshot_prefix: 'a b'
"""
NET = """name: "n" # the net
layer {
  name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 20 weight_filler { type: "xavier" } } # here
}
layer { name: "conv1.b" type: "ReLU" bottom: "conv1" top: "conv1" }
layer {
  name: "loss"
  include { phase: TRAIN }
}
layer { name: "two" }
layer { name: "two" }
"""


@pytest.mark.parametrize(
    ("path", "typed", "old", "new"),
    [
        ("base_lr", "0.5", "0.01   #", "0.5   #"),
        ("base_lr", " 1e-3 ", "0.01   #", "0.001   #"),
        ("base_lr", None, "base_lr: 0.01   #", "#"),
        ("stepvalue", "300", "stepvalue: 100\nstepvalue: 200 # twice", "stepvalue: 300\n# twice"),
        ("stepvalue", "1, 2 3", "100\nstepvalue: 200 # twice", "1\nstepvalue: 2 # twice"),
        ("test_iter", "5", "[ 10, 20 ]", "[ 5 ]"),
        ("test_iter[1]", "7", "20 ]", "7 ]"),
        ("snapshot_prefix", "c d", "'a b'", '"c d"'),
        ("solver_mode", "cpu", "'a b'\n", "'a b'\nsolver_mode: CPU\n"),
        ("test_initialization", "no", "'a b'\n", "'a b'\ntest_initialization: false\n"),
        ("weights", "a, 'b c'", "'a b'\n", '\'a b\'\nweights: "a"\nweights: "b c"\n'),
    ],
)
def test_what_is_typed_replaces_all_values_and_nothing_else(
    path: str, typed: str | None, old: str, new: str
) -> None:
    wanted = SOLVER.replace(old, new)
    if path == "stepvalue" and typed == "1, 2 3":
        wanted += "stepvalue: 3\n"
    assert put_text(SOLVER, SolverParameter, path, typed) == wanted


@pytest.mark.parametrize(
    ("path", "typed", "why"),
    [
        ("base_lr", "fast", "base_lr is a number, not 'fast'"),
        ("max_iter", "1.5", "max_iter is a whole number, not '1.5'"),
        ("max_iter", "99999999999", "max_iter"),
        ("solver_mode", "TPU", "solver_mode is one of CPU, GPU, not 'TPU'"),
        ("test_initialization", "maybe", "true or false"),
        ("stepsise", "1", 'did you mean "stepsize"?'),
        ("train_state", "1", "is a block: name a field in it, as in train_state.phase"),
        ("base_lr[0]", "1", "base_lr has one value only"),
        ("weights", "'a", "a quotation is not closed"),
        ("base_lr.x", "1", "base_lr is no block"),
    ],
)
def test_what_cannot_be_is_told(path: str, typed: str, why: str) -> None:
    with pytest.raises(EditError) as told:
        put_text(SOLVER, SolverParameter, path, typed)
    assert why in str(told.value)


@pytest.mark.parametrize(
    ("path", "typed", "old", "new"),
    [
        ("layer.conv1.convolution_param.num_output", "30", "num_output: 20", "num_output: 30"),
        ("layer.conv1.b.type", "TanH", '"ReLU"', '"TanH"'),
        ("layer[0].bottom", "x, y", '"data"', '"x"'),
        ("layer.conv1.convolution_param.weight_filler.type", None, 'weight_filler { type: "xavier" } ', ""),
        ("layer.loss.include[0].phase", None, "  include { phase: TRAIN }\n", ""),
        ("layer.loss.include[0].phase", "test", "TRAIN", "TEST"),
    ],
)
def test_layers_are_named(path: str, typed: str | None, old: str, new: str) -> None:
    changed = put_text(NET, NetParameter, path, typed)
    if typed == "x, y":
        assert list(parse(changed, NetParameter).layer[0].bottom) == ["x", "y"] and "# here" in changed
    else:
        assert changed == NET.replace(old, new)


def test_the_second_blob_can_be_set_before_the_first() -> None:
    changed = put_text(NET, NetParameter, "layer.conv1.param[1].lr_mult", "2")
    assert [param.lr_mult for param in parse(changed, NetParameter).layer[0].param] == [1, 2]
    assert put_text(changed, NetParameter, "layer.conv1.param[1].name", None) == changed
    with pytest.raises(EditError, match=r"2 layers are called 'two': name one by number, layer\[3\], layer"):
        put_text(NET, NetParameter, "layer.two.type", "ReLU")
    with pytest.raises(EditError, match=r'there is no layer \'conv\' \(did you mean "conv1"\?\)'):
        put_text(NET, NetParameter, "layer.conv.type", "ReLU")


def test_fields_that_differ() -> None:
    before = parse(SOLVER, SolverParameter)
    after = parse(SOLVER.replace("200", "300") + "max_iter: 5", SolverParameter)
    assert list(changed_fields(before, after)) == ["max_iter", "stepvalue"]
    assert not changed_fields(before, parse(SOLVER.replace("# slow", ""), SolverParameter))


def _fields(message: Descriptor, seen: set[str]) -> Iterator[FieldDescriptor]:
    if message.name in seen or message.name in ("BlobProto", "V0LayerParameter"):
        return
    seen.add(message.name)
    for field in message.fields:
        yield field
        if field.message_type is not None:
            yield from _fields(field.message_type, seen)


def test_every_field_that_a_form_shows_is_explained() -> None:
    seen: set[str] = set()
    fields = [
        field
        for kind in (SolverParameter, LayerParameter, V1LayerParameter)
        for field in _fields(kind.DESCRIPTOR, seen)  # type: ignore[arg-type]
    ]
    docs = field_docs()
    plain = {full_name(field) for field in fields if field.message_type is None}
    assert plain - docs.keys() <= {"NetParameter.input", "NetParameter.input_dim"}
    assert docs.keys() <= {full_name(field) for field in fields}
    assert all(doc.about and len(doc.about) < 115 for doc in docs.values())
    shown = [name for _, names in SOLVER_GROUPS for name in names]
    solver = [f.name for f in SolverParameter.DESCRIPTOR.fields if f.message_type is None]
    assert sorted(shown) == sorted(solver)


def test_defaults_are_those_of_the_schema() -> None:
    known = SolverParameter.DESCRIPTOR.fields_by_name
    told = {name: default_of(known[name]) for name in ("delta", "type", "base_lr", "net", "test_iter")}  # type: ignore[arg-type]
    assert told == {"delta": "1e-08", "type": "SGD", "base_lr": "0", "net": "", "test_iter": ""}


def test_types_with_settings_of_their_own_have_a_block() -> None:
    layer: Descriptor = LayerParameter.DESCRIPTOR  # type: ignore[assignment]
    without = {kind for kind in LAYER_TYPES if not blocks_of(kind, layer)}
    assert without == {"AbsVal", "BNLL", "BatchReindex", "Filter", "LSTMUnit", "Silence", "Split"}


def test_an_old_net_is_written_anew() -> None:
    old = '# of 2014\n\nname: "n"\nlayers { name: "r" type: RELU bottom: "a" top: "a" } # here\n'
    text, notes = renewed(old, "net.prototxt")
    assert (
        text == '# of 2014\n\nname: "n"\nlayer {\n  name: "r"\n  type: "ReLU"\n  bottom: "a"\n  top: "a"\n}\n'
    )
    assert "deprecated V1LayerParameter: net.prototxt" in notes[0]
    with pytest.raises(EditError, match="current form already"):
        renewed(text, "net.prototxt")
    with pytest.raises(EditError, match="fields of forks would be lost: magic"):
        renewed(old + "magic: 1", "net.prototxt")
