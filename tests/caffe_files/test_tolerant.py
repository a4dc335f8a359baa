"""Files of forks: what Caffe lacks is set aside with its place and text, all else is read as ever."""

import re
from pathlib import Path

import pytest
from google.protobuf import text_format
from hypothesis import given, settings
from hypothesis import strategies as st

from barista_server.caffe import prototxt
from barista_server.caffe.prototxt import PrototxtError
from barista_server.caffe.schema import NetParameter, SolverParameter
from barista_server.caffe.tolerant import parse_tolerant, read_tolerant, split_unknown

NETS = sorted((Path(__file__).parent.parent / "fixtures/golden/solvers").glob("*.prototxt"))

FORKED = """name: "n" default_forward_type: FLOAT16 # { a comment
boost: -1.5, extras < a: "}" b { c: [1, 2] } >;
layer {
  name: "p" type: "Pooling"
  pooling_param { pool: DEFORMED kernel_size: 2; zoom: [1, -2] engine: MKLDNN }
  param { lr_mult: 1 larc: true }
  param { larc: false lr_mult: 2 }
  note: 'two' "strings"  # of it
}
layers { type: SMOOTH_L1 name: "s" }
"""


def test_what_is_unknown_is_set_aside_with_place_and_text() -> None:
    net, unknown = parse_tolerant(FORKED, NetParameter)
    assert [(one.path, one.text, one.line, one.column) for one in unknown] == [
        ("default_forward_type", "default_forward_type: FLOAT16", 1, 11),
        ("boost", "boost: -1.5", 2, 1),
        ("extras", 'extras < a: "}" b { c: [1, 2] } >', 2, 14),
        ("layer[0].pooling_param.pool", "pool: DEFORMED", 5, 19),
        ("layer[0].pooling_param.zoom", "zoom: [1, -2]", 5, 50),
        ("layer[0].pooling_param.engine", "engine: MKLDNN", 5, 64),
        ("layer[0].param[0].larc", "larc: true", 6, 22),
        ("layer[0].param[1].larc", "larc: false", 7, 11),
        ("layer[0].note", "note: 'two' \"strings\"", 8, 3),
        ("layers[0].type", "type: SMOOTH_L1", 10, 10),
    ]
    assert [one.value for one in unknown if one.value] == ["DEFORMED", "MKLDNN", "SMOOTH_L1"]
    assert {one.message for one in unknown} == {
        "NetParameter", "PoolingParameter", "ParamSpec", "LayerParameter", "V1LayerParameter"
    }  # fmt: skip
    assert prototxt.to_text(net) == (
        'name: "n"\nlayers {\n  name: "s"\n}\nlayer {\n  name: "p"\n  type: "Pooling"\n'
        "  param {\n    lr_mult: 1\n  }\n  param {\n    lr_mult: 2\n  }\n"
        "  pooling_param {\n    kernel_size: 2\n  }\n}\n"
    )


def test_other_errors_keep_their_place() -> None:
    broken = FORKED.replace("kernel_size: 2;", "kernel_size: two;")
    with pytest.raises(PrototxtError) as caught:
        parse_tolerant(broken, NetParameter, "n.prototxt")
    assert (caught.value.path, caught.value.line, caught.value.column) == ("n.prototxt", 5, 47)
    with pytest.raises(PrototxtError) as caught:
        parse_tolerant(FORKED + "layer { name: 'a' name: 'b' }", NetParameter)
    assert (caught.value.line, caught.value.message) == (
        11,
        'Non-repeated field "name" is specified multiple times',
    )


@pytest.mark.parametrize(
    "text",
    [
        "foo: { a: 1",
        "foo: }",
        "foo 1",
        "foo: [1 2]",
        "foo: 'open\n'",
        "foo { a: 1 >",
        "foo:",
        "[a]: 1",
        "1: 2",
    ],
)
def test_what_is_no_prototxt_is_refused_as_ever(text: str) -> None:
    with pytest.raises(PrototxtError):
        parse_tolerant("name: 'n'\n" + text, NetParameter)


def test_deep_blocks_do_no_harm() -> None:
    deep = "foo {" * 20_000 + "}" * 20_000
    with pytest.raises(PrototxtError):
        parse_tolerant(deep, NetParameter)


def test_a_file_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "s").write_bytes(b"\xef\xbb\xbfmin_lr: 1 base_lr: 2 # \xff")
    solver, unknown = read_tolerant(tmp_path / "s", SolverParameter)
    assert solver.base_lr == 2 and [(one.name, one.column) for one in unknown] == [("min_lr", 1)]


@pytest.mark.parametrize("path", NETS, ids=lambda path: path.name)
def test_caffes_own_files_have_nothing_unknown(path: Path) -> None:
    cls = SolverParameter if path.name.endswith("_solver.prototxt") else NetParameter
    assert read_tolerant(path, cls) == (prototxt.read(path, cls), [])
    assert split_unknown(path.read_bytes(), cls)[1] == []


_WORDS = st.sampled_from(
    [*"{}<>[]:,;#\n-1'\"\\", "2.5", "'a'", '"b"', "true", "name", "type", "layer", "layers", "param",
     "pooling_param", "pool", "MAX", "LOUD", "engine", "foo", "bar", "lr_mult"]
)  # fmt: skip


_BY_NUMBER = re.compile(r"\b1\s*(?:#.*\n\s*)?[:{<]")


@settings(max_examples=400)
@given(st.lists(_WORDS, max_size=25).map(" ".join))
def test_it_agrees_with_protobuf(text: str) -> None:
    """What protobuf takes when told to skip unknown fields is taken here, with the same message."""
    lenient: NetParameter | None = NetParameter()
    try:
        text_format.Parse(text, lenient, allow_unknown_field=True)
    except text_format.ParseError:
        lenient = None
    try:
        net, unknown = parse_tolerant(text, NetParameter)
    except PrototxtError:
        # Python's parser takes a field by its number too, which C++'s and so Caffe's does not.
        assert lenient is None or _BY_NUMBER.search(text)
        return
    assert all(text[one.start : one.end].startswith(one.text) and one.text for one in unknown)
    if lenient is not None:
        assert net == lenient
    if not unknown:
        assert net == prototxt.parse(text, NetParameter)


_FIELD = st.deferred(lambda: st.one_of(
    st.sampled_from(["name: 'x'", "force_backward: true", "boost: -3", "tags: ['a', \"b\"]", "mode: LOUD"]),
    st.lists(_LAYER_FIELD, max_size=4).map(lambda parts: "layer { " + "\n".join(parts) + " }"),
    st.lists(_FIELD, max_size=3).map(lambda parts: "my_param { " + " ".join(parts) + " }"),
))  # fmt: skip
_LAYER_FIELD = st.one_of(
    st.sampled_from(
        ["top: 'x'", "warp: 3;", "loss_weight: [1, 2]", "include { phase: TEST, era: 3 }", "# {"]
    ),
    st.sampled_from(["pooling_param: < zoom { a: 1 } kernel_size: 3 >", "param { lr_mult: 1 larc { } }"]),
)


@settings(max_examples=200)
@given(st.lists(_FIELD, max_size=6).map("\n".join))
def test_every_sound_text_of_a_fork_is_read(text: str) -> None:
    expected = NetParameter()
    try:
        text_format.Parse(text, expected, allow_unknown_field=True)
    except text_format.ParseError:  # a plain field given twice
        return
    net, unknown = parse_tolerant(text, NetParameter)
    assert net == expected
    rest = list(text)
    for one in unknown:
        rest[one.start : one.end] = " " * (one.end - one.start)
    assert prototxt.parse("".join(rest), NetParameter) == net


@given(st.text(max_size=80), st.binary(max_size=80))
def test_no_text_breaks_it(text: str, data: bytes) -> None:
    for damaged in (text, data, FORKED[: len(text)] + text, FORKED.encode()[len(data) :] + data):
        try:
            parse_tolerant(damaged, NetParameter)
        except PrototxtError:
            pass
