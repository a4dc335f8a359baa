"""What forms and texts are made of: rows, values as one types them, the rate's curve, colours."""

from __future__ import annotations

import math
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barista_engine.lr import advance_step, learning_rate
from barista_server.api.messages import (
    DatasetFacts,
    DatasetInfo,
    Form,
    FormField,
    FormGroup,
    Problem,
    Standing,
)
from barista_server.caffe.prototxt import parse
from barista_server.caffe.schema import SolverParameter
from barista_tui import assigning, drafts, formrows, lrcurve
from barista_tui.protolight import as_bytes, lit, shown

POLICIES = {
    "fixed": "",
    "step": "gamma: 0.5 stepsize: 30",
    "exp": "gamma: 0.99",
    "inv": "gamma: 0.1 power: 0.75",
    "multistep": "gamma: 0.1 stepvalue: 20 stepvalue: 70",
    "poly": "power: 2",
    "sigmoid": "gamma: 0.1 stepsize: 50",
}


def field(name: str, *values: str, **more: object) -> FormField:
    fields = {"path": name, "name": name, "kind": "float", "values": list(values), **more}
    return FormField(**fields)  # type: ignore[arg-type]


def form(*fields: FormField, kind: str = "SGD") -> Form:
    group = FormGroup(title="Group", fields=list(fields))
    return Form(title="solver", kind=kind, groups=[group], layer=None, revision="", standing=Standing())


@pytest.mark.parametrize("policy", POLICIES)
def test_the_curve_is_what_the_engine_takes(policy: str) -> None:
    text = f'base_lr: 0.1 lr_policy: "{policy}" max_iter: 100 {POLICIES[policy]}'
    solver = parse(text, SolverParameter)
    words = [word.rstrip(":") for word in text.split()]
    rows: dict[str, list[str]] = {}
    for name, value in zip(words[::2], words[1::2], strict=True):
        rows.setdefault(name, []).append(value.strip('"'))
    drawn = lrcurve.policy_of(form(*(field(name, *values) for name, values in rows.items())))
    assert isinstance(drawn, lrcurve.Policy)
    step = 0
    for iteration in range(100):
        step = advance_step(solver, iteration, step)
        assert drawn.rate(iteration) == pytest.approx(learning_rate(solver, iteration, step), rel=1e-5)
    lines = lrcurve.drawing(drawn, 50, 10, now=40)
    assert len(lines) == 10 and "learning rate" in lines[0] and "at 40" in lines[0]
    assert lines[-1].endswith("100") and "▲" in lines[-1] and max(map(len, lines)) <= 50
    assert any("⠀" < char <= "⣿" for line in lines[1:-1] for char in line)


def test_a_rate_that_cannot_be_drawn_says_why() -> None:
    assert lrcurve.policy_of(form()) == "lr_policy is not set"
    assert lrcurve.policy_of(form(field("lr_policy", "stap"))) == "there is no policy 'stap'"
    assert lrcurve.policy_of(form(field("lr_policy", "fixed"))) == "base_lr is not set"
    base = (field("lr_policy", "step"), field("base_lr", "0.1"))
    assert lrcurve.policy_of(form(*base)) == "stepsize is not set"
    endless = lrcurve.Policy("exp", 1.0, gamma=1e300, max_iter=100)
    assert endless.rate(50) == math.inf and len(lrcurve.drawing(endless, 40, 8)) == 8


def test_rows_and_marks() -> None:
    about = form(
        field("base_lr", "0.1", line=4, unit="x", about="The rate"),
        field("gamma", "0.5", used=False),
        field("momentum", default="0"),
    )
    rows = formrows.rows(about)
    assert [row.field.name if row.field else row.title for row in rows] == [
        "Group",
        "base_lr",
        "gamma",
        "momentum",
    ]
    assert formrows.row_of(rows, "gamma") == 2 and formrows.row_of(rows, "none") == 1
    wrong = [Problem(text="too fast", file="solver.prototxt", line=4, hint="slower")]
    marks = [formrows.mark(row.field, wrong) for row in rows if row.field]
    assert marks == ["✖", "◦", " "]
    assert [formrows.value_words(row.field) for row in rows if row.field] == ["0.1", "0.5", "0"]
    assert formrows.matching(rows, "rate") == [1] and not formrows.matching(rows, "")
    assert formrows.problem_line(wrong[0]) == "solver.prototxt:4 too fast (slower)"
    gamma = rows[2].field
    assert gamma is not None and formrows.about(gamma, about).startswith("Nothing looks at it")


@given(st.lists(st.text(min_size=1)))
def test_values_are_typed_as_they_are_read(values: list[str]) -> None:
    reader = shlex.shlex(formrows.edit_text(field("bottom", *values, repeated=True)), posix=True)
    reader.whitespace += ","
    reader.whitespace_split, reader.commenters = True, ""
    assert list(reader) == values


@given(st.binary())
def test_a_text_that_is_shown_comes_back_byte_for_byte(data: bytes) -> None:
    text = shown(data)
    if text is not None:
        assert as_bytes(text) == data
        assert not any(char < " " and char not in "\t\r\n" for char in text)


def test_bytes_that_terminals_obey_are_not_shown() -> None:
    data = b"# \x1b[31m \xff caf\xc3\xa9 \xc2\x9b \xe2\x80\xae\n"
    text = shown(data)
    assert text is not None and as_bytes(text) == data and "café" in text
    assert not {"\x1b", "\x9b", "‮"} & set(text) and text.encode()


def test_a_line_is_lit() -> None:
    line = '  weight_filler { type: "x # y" std: -0.1 }  # end'
    found = [(line[each.start : each.end], each.tone) for each in lit(line)]
    assert found == [
        ("weight_filler", "block"),
        ("{", "mark"),
        ("type", "field"),
        (":", "mark"),
        ('"x # y"', "string"),
        ("std", "field"),
        (":", "mark"),
        ("-0.1", "value"),
        ("}", "mark"),
        ("# end", "comment"),
    ]


def test_which_dataset_a_layer_can_read() -> None:
    layer = form(field("name", "data", path="layer[2].name", kind="string"), kind="Data")
    facts = DatasetFacts(kind="lmdb", size=1, files=1)
    lmdb = DatasetInfo(id="1", name="mnist", path="/data/mnist", facts=facts)
    edits = {edit.path: edit.typed for edit in assigning.edits(layer, lmdb)}
    assert edits == {"layer[2].data_param.source": "/data/mnist", "layer[2].data_param.backend": "LMDB"}
    with pytest.raises(
        assigning.CannotAssign, match="mnist is an LMDB, and a layer of type HDF5Data reads a list"
    ):
        assigning.edits(form(*layer.groups[0].fields, kind="HDF5Data"), lmdb)
    with pytest.raises(assigning.CannotAssign, match="reads no dataset"):
        assigning.edits(form(*layer.groups[0].fields, kind="ReLU"), lmdb)


def test_what_was_not_saved_is_kept_for_the_next_start() -> None:
    draft = drafts.Draft("a\uf61b é\n", "12ab")
    assert drafts.load("ssh gpu01", "7", "net") is None
    drafts.save("ssh gpu01", "7", "net", draft)
    assert drafts.load("ssh gpu01", "7", "net") == draft
    assert drafts.load("ssh gpu01", "7", "solver") is drafts.load("ssh gpu02", "7", "net") is None
    drafts.drop("ssh gpu01", "7", "net")
    assert drafts.load("ssh gpu01", "7", "net") is None
    drafts.drop("ssh gpu01", "7", "net")
