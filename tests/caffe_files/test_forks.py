"""Fields of forks are named with their fork; typing errors are told from them."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barista_server.caffe import prototxt
from barista_server.caffe.forks import distance, fact_of, forks_with_layer, judge, read_for_engine
from barista_server.caffe.layer_types import LAYER_TYPES
from barista_server.caffe.prototxt import PrototxtError
from barista_server.caffe.schema import NetParameter, SolverParameter
from barista_server.caffe.tolerant import UnknownField, parse_tolerant


def unknown_in(text: str, cls: type[NetParameter] | type[SolverParameter] = NetParameter) -> UnknownField:
    (unknown,) = parse_tolerant(text, cls)[1]
    return unknown


@pytest.mark.parametrize(
    ("text", "fork", "harmless"),
    [
        ("default_forward_type: FLOAT16", "NVCaffe", True),
        ("global_grad_scale: 1000", "NVCaffe", True),
        ("layer { convolution_param { engine: MKLDNN } }", "Intel Caffe", True),
        ("layer { data_param { threads: 4 } }", "NVCaffe", True),
        ("layer { batch_norm_param { scale_bias: true } }", "NVCaffe", False),
        ("layer { multibox_loss_param { num_classes: 21 } }", "SSD", False),
        ("layer { roi_pooling_param { pooled_w: 7 } }", "Faster R-CNN", False),
        ("layer { interp_param { height: 1 } }", "PSPNet", False),
        ("layer { upsample_param { scale: 2 } }", "SegNet", False),
        ("layer { loss_param { normalization: PRE_FIXED } }", "R-FCN", False),
        ("layers { convolution_param { hole: 2 } }", "DeepLab v1", False),
        ("layers { type: DENSE_CRF }", "DeepLab v1", False),
        ("layers { type: SMOOTH_L1_LOSS }", "Fast R-CNN", False),
        ("layers { multi_stage_meanfield_param { } }", "CRF-RNN", False),
        ("layer { quantization_param { bw_params: 8 } }", "Ristretto", False),
        ("layer { multi_stage_meanfield_param { } }", "CRF-RNN", False),
    ],
)
def test_fields_of_forks_are_known(text: str, fork: str, harmless: bool) -> None:
    unknown = unknown_in(text)
    fact = fact_of(unknown)
    assert fact is not None and fork in fact.names.split(", ") and fact.harmless is harmless
    verdict = judge(unknown)
    assert verdict.severity == "warning" and fact.names in verdict.message
    assert ("ignores it" in verdict.message) is harmless


@pytest.mark.parametrize(
    ("text", "harmless"),
    [
        ("store_blobs_in_old_format: true", True),
        ("rampup_interval: 100", False),
        ("min_lr: 0.1", False),
        ("warmup_iter: 3", False),
        ("local_lr_auto: true", False),
        ("larc: true", False),
        ("solver_type: SAG", False),
    ],
)
def test_solver_fields_of_forks_are_known(text: str, harmless: bool) -> None:
    fact = fact_of(unknown_in(text, SolverParameter))
    assert fact is not None and fact.harmless is harmless


@pytest.mark.parametrize(
    ("layer_type", "fork"),
    [
        ("Normalize", "SSD"), ("Permute", "SSD"), ("PriorBox", "SSD"), ("MultiBoxLoss", "SSD"),
        ("ROIPooling", "Fast R-CNN"), ("SmoothL1Loss", "Fast R-CNN"), ("PSROIPooling", "R-FCN"),
        ("Interp", "PSPNet"), ("BN", "SegNet"), ("Upsample", "SegNet"), ("ReLU6", "YOLOv3 for Caffe"),
    ],
)  # fmt: skip
def test_layer_types_of_forks_are_known(layer_type: str, fork: str) -> None:
    assert fork in forks_with_layer(layer_type)
    assert not forks_with_layer("Frobnicate")


def test_no_layer_type_of_caffe_is_said_to_be_of_a_fork() -> None:
    assert [name for name in LAYER_TYPES if forks_with_layer(name)] == []


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("layer { botom: 'a' }", 'did you mean "bottom"?'),
        ("layer { data_param { batchsize: 2 } }", 'did you mean "batch_size"?'),
        ("layer { data_param { backend: LMBD } }", 'did you mean "LMDB"?'),
        ("layer { pooling_param { pool: max } }", 'did you mean "MAX"?'),
        ("layer { include { phase: TRIAN } }", 'did you mean "TRAIN"?'),
        ("layer { lr_mult: 2 }", "it belongs into param { ... }"),
        ("layer { group: 2 }", "it belongs into convolution_param { ... }"),
        (
            "layer { num_output: 2 }",
            "it belongs into convolution_param { ... } or inner_product_param { ... }",
        ),
        ("layer { convolution_param { top: 'a' } }", "it belongs outside of this block"),
        ("layer { blobs_lr: 2 }", "it is of the old form of layers"),
    ],
)
def test_a_typing_error_is_an_error(text: str, hint: str) -> None:
    verdict = judge(unknown_in(text))
    assert verdict.severity == "error" and verdict.hint.startswith(hint)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("layer { data_param { backend: LEVELDB2 } }", 'did you mean "LEVELDB"? Otherwise keep it'),
        ("layer { focal_param { gamma: 2 } }", 'did you mean "scale_param"? Otherwise keep it'),
        ("layer { zz: 2 }", "keep it if your caffe has it"),
    ],
)
def test_what_only_an_own_caffe_may_know_is_a_warning(text: str, hint: str) -> None:
    verdict = judge(unknown_in(text))
    assert verdict.severity == "warning" and verdict.hint.startswith(hint)
    assert "BVLC caffe and the embedded engine refuse it" in verdict.message


def test_the_engine_drops_what_changes_nothing_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "n.prototxt"
    path.write_text("default_forward_type: FLOAT16\nlayer { name: 'a'\n  debug: true type: 'ReLU' }")
    notes: list[str] = []
    net = read_for_engine(path, NetParameter, notes)
    assert prototxt.to_text(net) == 'layer {\n  name: "a"\n  type: "ReLU"\n}\n'
    assert notes == [
        f"Ignoring 'default_forward_type: FLOAT16' of NVCaffe, which changes no result here: {path}:1",
        f"Ignoring 'debug: true' of NVCaffe, which changes no result here: {path}:3",
    ]


@pytest.mark.parametrize(
    ("text", "line", "column", "message"),
    [
        ("larc: true\nbase_lrr: 1", 1, 1, 'no field named "larc"'),
        ("eval_type: 'x'\nbase_lrr: 1\nmin_lr: 1", 2, 1, 'no field named "base_lrr"'),
        ("eval_type: 'x'\nmax_iter: -2.5\nmin_lr: 1", 2, 11, "Couldn't parse integer"),
        ("eval_type: 'x'\nmin_lr: 1 max_iter: x", 2, 1, 'no field named "min_lr"'),
        ("eval_type: 'x'\nmax_iter", 2, 1, "Expected"),
    ],
)
def test_the_engine_stops_where_caffe_would(
    text: str, line: int, column: int, message: str, tmp_path: Path
) -> None:
    (tmp_path / "s").write_text(text)
    with pytest.raises(PrototxtError) as caught:
        read_for_engine(tmp_path / "s", SolverParameter, [])
    assert (caught.value.line, message in caught.value.message) == (line, True), caught.value
    assert caught.value.column == column or message == "Expected"


def test_a_refused_field_is_told_with_its_fork(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("larc: true")
    with pytest.raises(PrototxtError, match="larc is of NVCaffe and changes the result: train with"):
        read_for_engine(tmp_path / "s", SolverParameter, [])


def test_the_table_names_nothing_that_caffe_has() -> None:
    from barista_server.caffe import forks

    messages = forks._messages()
    for key in forks._table():
        if key.startswith("type="):
            continue
        block, _, name = key.partition(".")
        name, _, value = name.partition("=")
        field = messages[block].fields_by_name.get(name)
        if value:
            assert field is not None and field.enum_type is not None, key
            assert value not in field.enum_type.values_by_name, key
        else:
            assert field is None, key


@given(st.text("abcd_", max_size=8), st.text("abcd_", max_size=8))
def test_distance_is_one(a: str, b: str) -> None:
    assert distance(a, b) == distance(b, a)
    assert (distance(a, b) == 0) == (a == b)
    assert abs(len(a) - len(b)) <= distance(a, b) <= max(len(a), len(b))


def test_distance_counts_swapped_letters_once() -> None:
    pairs = [("botom", "bottom"), ("LMBD", "LMDB"), ("", "ab"), ("ab", "ba")]
    assert [distance(*pair) for pair in pairs] == [1, 1, 2, 1]
