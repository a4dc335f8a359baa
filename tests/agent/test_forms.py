"""Forms say what is written, on its line; typed again it is the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from barista_server.agent.errors import CallError
from barista_server.agent.forms import layer_groups, layer_named, layer_on, solver_groups
from barista_server.api.messages import FormGroup
from barista_server.caffe.edit_values import put_text
from barista_server.caffe.prototxt import parse
from barista_server.caffe.schema import NetParameter, SolverParameter
from barista_server.caffe.tokens import layer_places
from barista_tui.formrows import edit_text

TEMPLATES = Path(__file__).parents[2] / "server" / "barista_server" / "templates"
FILES = sorted(path for path in TEMPLATES.rglob("*.prototxt"))


def paths(groups: list[FormGroup]) -> dict[str, list[str]]:
    return {field.path: field.values for group in groups for field in group.fields}


@pytest.mark.parametrize("file", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_what_a_form_shows_is_what_is_written(file: Path) -> None:
    text = file.read_text()
    net = file.stem.startswith("net")
    cls = NetParameter if net else SolverParameter
    forms = (
        [layer_groups(text, number)[2] for number in range(min(3, len(layer_places(text))))]
        if net
        else [solver_groups(text)[1]]
    )
    fields = [field for groups in forms for group in groups for field in group.fields if field.values]
    assert len(fields) > 10
    lines = text.splitlines()
    for field in fields:
        assert field.line is not None and field.name in lines[field.line - 1]
        again = put_text(text, cls, field.path, edit_text(field))
        assert parse(again, cls) == parse(text, cls)


def test_forms_of_old_nets_and_of_forks() -> None:
    old = (
        'layers { name: "c" type: CONVOLUTION blobs_lr: 1 blobs_lr: 2 convolution_param { magic: 7 } }\n'
        'layers { layer { name: "r" type: "relu" } }\n'
        'layers { name: "c" type: RELU include { phase: TEST } }\n'
    )
    name, kind, groups = layer_groups(old, 0)
    shown = paths(groups)
    assert (name, kind) == ("c", "Convolution")
    assert shown["layers[0].blobs_lr"] == ["1", "2"] and shown["layers[0].type"] == ["CONVOLUTION"]
    assert groups[-1].title == "Of forks" and groups[-1].fields[0].values == ["magic: 7"]
    with pytest.raises(CallError, match="written as in 2013"):
        layer_groups(old, 1)
    with pytest.raises(CallError) as told:
        layer_named(old, "c")
    assert told.value.hint == "Name one by its number: [0], [2] (TEST)."
    assert layer_named(old, "[2]") == 2 and layer_on(old, 2) == 1
    with pytest.raises(CallError, match="has no layer 5"):
        layer_groups(old, 5)


def test_a_solver_shows_what_its_type_and_policy_look_at() -> None:
    def names(text: str) -> set[str]:
        return {field.name for group in solver_groups(text)[1] for field in group.fields}

    adam = names('type: "Adam" lr_policy: "multistep" train_state { level: 1 }')
    assert {"momentum2", "delta", "gamma", "stepvalue", "train_state"} <= adam
    assert not {"rms_decay", "power", "stepsize"} & adam
    groups = solver_groups('lr_policy: "poly" max_iter: 5 gamma: 3 net_param { }')[1]
    by_name = {field.name: field for group in groups for field in group.fields}
    assert not by_name["gamma"].used and not by_name["max_iter"].open and by_name["display"].open
    assert by_name["net_param"].kind == "block"
