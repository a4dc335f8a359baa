"""The drawing of nets: what the rails say is what the net is."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barista_server.api.messages import NetBlob, NetLayer, NetReport, NetView, Problem, TrainingNeed
from barista_tui import netrows
from barista_tui.netgraph import Wires, groups, node_wires, nodes, rails, wiring
from barista_tui.prototext import layer_block, layer_blocks


def layer(name: str, bottoms: str = "", tops: str | None = None, **more: object) -> NetLayer:
    made = [NetBlob(top, [1, 2]) for top in (name if tops is None else tops).split()]
    fields = {"type": "Layer", "index": 0, "bottoms": bottoms.split(), "tops": made, **more}
    return NetLayer(name=name, **fields)  # type: ignore[arg-type]


def drawn(*layers: NetLayer) -> list[str]:
    found = nodes(layers)
    return rails(node_wires(found, wiring(layers)))


def test_a_chain_with_a_layer_in_place_is_one_rail() -> None:
    chain = drawn(layer("data"), layer("conv", "data"), layer("relu", "conv", "conv"), layer("ip", "conv"))
    assert chain == ["●", "●", "●", "●"]


def test_branches_labels_and_joins() -> None:
    net = (
        layer("data", tops="data label"),
        layer("a", "data"),
        layer("b", "data"),
        layer("both", "a b"),
        layer("loss", "both label", ""),
    )
    assert drawn(*net) == ["●─╮", "├─│─●", "● │ │", "●─│─╯", "●─╯"]


def test_a_split_that_caffe_puts_in_is_a_branch() -> None:
    split = layer("data_split", "data", "data_0 data_1", type="Split", index=None)
    with_split = drawn(layer("data"), split, layer("a", "data_0"), layer("b", "data_1"))
    assert with_split == drawn(layer("data"), layer("a", "data"), layer("b", "data")) == ["●", "├─●", "●"]


def test_several_sources_and_bottoms_that_nobody_makes() -> None:
    assert drawn(layer("one"), layer("two"), layer("sum", "one two gone"), layer("alone")) == [
        "●",
        "│ ●",
        "●─╯",
        "●",
    ]


@st.composite
def nets(draw: st.DrawFn) -> list[Wires]:
    """Any net: each row takes some of the blobs before it and makes up to three."""
    made: list[tuple[int, int]] = []
    wires = []
    for row in range(draw(st.integers(1, 14))):
        taken = draw(st.lists(st.sampled_from(made), max_size=4, unique=True)) if made else []
        given_ = [(row, number) for number in range(draw(st.integers(0, 3)))]
        wires.append(Wires(tuple(taken), tuple(given_)))
        made += given_
    return wires


def read(lines: list[str], wires: list[Wires]) -> list[set[tuple[int, int]]]:
    """What each row takes, read off the drawing alone; of ``wires`` only which blobs are ever taken."""
    taken = {blob for each in wires for blob in each.takes}
    columns: dict[int, tuple[int, int]] = {}
    found = []
    for row, line in enumerate(lines):
        own = line.index("●")
        takes = {columns[own]} if own in columns else set()
        begins: list[int] = []
        ends: list[int] = [own]
        for step in (-1, 1):
            at = own
            while 0 <= at + step < len(line) and line[at + step] == "─":
                at += 2 * step
                sign = line[at]
                if sign in "├┼┤╰┴╯":
                    takes.add(columns[at])
                if sign in "╰┴╯":
                    ends.append(at)
                if sign in "╭┬╮":
                    begins.append(at)
                if sign in "├┤╰╯╭╮":
                    break
        for column, blob in columns.items():
            assert line[column : column + 1] in ("│", "●", *"├┼┤╰┴╯"), f"the rail of {blob} is cut"
        columns = {column: blob for column, blob in columns.items() if column not in ends}
        kept = [blob for blob in wires[row].gives if blob in taken]
        places = [own, *sorted(begins)]
        assert len(begins) == max(0, len(kept) - 1)
        columns.update(zip(places, kept, strict=False))
        found.append(takes)
    assert not columns, "rails go on behind the last row"
    return found


@given(nets())
def test_the_drawing_says_what_every_row_takes(wires: list[Wires]) -> None:
    assert read(rails(wires), wires) == [set(each.takes) for each in wires]


# ------------------------------------------------------------------------------------------------- folding


def inception() -> list[NetLayer]:
    return [
        layer("data", tops="data label"),
        layer("conv1", "data"),
        layer("conv1/relu", "conv1", "conv1", parameters=1),
        layer("3a/1x1", "conv1", parameters=5, memory=10),
        layer("3a/1x1/relu", "3a/1x1", "3a/1x1"),
        layer("3a/5x5", "conv1", parameters=7, memory=20),
        layer("3a/out", "3a/1x1 3a/5x5"),
        layer("loss", "3a/out label"),
    ]


def test_neighbours_with_the_same_beginning_fold_into_one_row() -> None:
    net = NetView("train net", "train", layers=inception())
    assert groups(net.layers) == ["conv1/", "3a/", "3a/1x1/"]
    assert netrows.outermost(net) == {"conv1/", "3a/"}
    rows = netrows.net_rows(net, frozenset({"3a/"}))
    assert [row.name for row in rows] == ["data", "conv1", "conv1/relu", "3a/", "loss"]
    fold = rows[3]
    assert (fold.type, fold.parameters, fold.memory, fold.shape) == ("4 layers", 12, 30, "1 2")
    assert [row.rails for row in rows] == ["●─╮", "● │", "● │", "◆ │", "●─╯"]
    assert netrows.row_of(rows, 6) == 3
    assert "4 layers folded" in netrows.details(net, fold, "")[0]


def test_folding_again_folds_more() -> None:
    net = NetView("train net", "train", layers=inception())
    rows = netrows.net_rows(net)
    first = netrows.fold_of(net, rows[4].node, frozenset())
    rows = netrows.net_rows(net, frozenset({first}))
    second = netrows.fold_of(net, rows[3].node, frozenset({first}))
    assert (first, second) == ("3a/1x1/", "3a/")
    assert netrows.fold_of(net, rows[0].node, frozenset()) == ""


def test_layers_of_a_name_that_others_stand_between_are_not_moved() -> None:
    net = [layer("a/x"), layer("b", "a/x"), layer("a/y", "b"), layer("a/z", "a/y")]
    assert [node.layers for node in nodes(net, frozenset({"a/"}))] == [(0,), (1,), (2, 3)]


@given(st.lists(st.sampled_from(["a/x", "a/y", "a/y/z", "b", "b/x", "c"]), min_size=1, max_size=12))
def test_folds_keep_every_layer_once_and_in_order(names: list[str]) -> None:
    net = [layer(name, names[at - 1] if at else "") for at, name in enumerate(names)]
    view = NetView("train net", "train", layers=net)
    for folded in (frozenset[str](), netrows.outermost(view), frozenset(groups(net))):
        rows = nodes(net, folded)
        assert [place for row in rows for place in row.layers] == list(range(len(net)))
        wires = node_wires(rows, wiring(net))
        assert read(rails(wires), wires) == [set(each.takes) for each in wires]


def test_a_thousand_layers_are_laid_out_at_once() -> None:
    net = [layer(f"l{number}", f"l{number - 1} l{max(0, number - 7)}") for number in range(1000)]
    begun = time.process_time()
    rows = netrows.net_rows(NetView("train net", "train", layers=net))
    assert len(rows) == 1000
    assert time.process_time() - begun < 1.0


# --------------------------------------------------------------------------------------------------- words


@pytest.mark.parametrize("width", [20, 40, 79, 120])
def test_rows_fit_any_width(width: int) -> None:
    rows = netrows.net_rows(NetView("train net", "train", layers=inception()))
    at = netrows.widths(rows, width)
    for row in rows:
        assert len("".join(netrows.cells(row, at))) <= width
        assert row.name[:4] in netrows.cells(row, at)[1]
    assert len(netrows.heading(at)) <= width


def test_totals_say_what_training_takes() -> None:
    need = TrainingNeed(
        "cpu", "SGD", weights=4, gradients=4, history=4, train=9, tests=0, total=2_000_000, snapshot=0,
        batch=4, free=9_000_000, largest=0,
    )  # fmt: skip
    view = NetView("train net", "train", layers=inception(), complete=True, parameters=20_000, memory=5000)
    report = NetReport("solver.prototxt", [view], [need])
    wanted = "20k parameters, 80.0 kB · memory 5.0 kB · cpu: training 2.0 MB of 9.0 MB, no batch fits"
    assert netrows.totals(report, view) == wanted


def test_a_problem_has_its_line_and_hint() -> None:
    problem = Problem('bottom "x" unknown', "net.prototxt", 41, "Did you mean y?")
    assert netrows.problem_words(problem) == 'net.prototxt:41 bottom "x" unknown: Did you mean y?'


TEXT = """# layer { name: "comment" }
name: "a } layer {"
layer { name: "one" } layer { name: 'two' type: "}" }
layers {  # old
  name: "three"  # }
  param { lr_mult: 1 }
}
layer { name: "open"
"""


def test_blocks_are_found_as_they_were_written() -> None:
    assert [line for line, _ in layer_blocks(TEXT)] == [3, 3, 4, 8]
    assert layer_block(TEXT, 3, "two") == "layer { name: 'two' type: \"}\" }"
    assert layer_block(TEXT, 4, "three").endswith("  param { lr_mult: 1 }\n}")
    assert layer_block(TEXT, 3, "none") == layer_block(TEXT, 5, "three") == ""


@given(st.text(alphabet="layer{}<>\"'#\\\n :x", max_size=60))
def test_any_text_has_blocks_that_are_in_it(text: str) -> None:
    assert all(block in text and 1 <= line <= text.count("\n") + 1 for line, block in layer_blocks(text))
