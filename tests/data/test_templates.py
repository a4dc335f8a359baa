"""Templates: each gives a session without problems once its data is there."""

from pathlib import Path

import pytest

from barista_server.caffe.check import check_session
from barista_server.caffe.net import filter_net, insert_splits
from barista_server.caffe.schema import Datum
from barista_server.caffe.solver import load_solver, train_net
from barista_server.data.lmdb_io import DatumReader, key_of, write_datums
from barista_server.templates import Template, TemplateError, instantiate, list_templates


@pytest.mark.parametrize("template", list_templates(), ids=lambda template: template.name)
@pytest.mark.parametrize("data", ["data", "../the data", 'ABSOLUTE/dätä "1\\'])
def test_an_instantiated_template_is_a_sound_session(tmp_path: Path, template: Template, data: str) -> None:
    folder = tmp_path / "session"
    folder.mkdir()
    data = data.replace("ABSOLUTE", str(tmp_path))
    if template.dataset == "cifar10":
        picture = Datum(channels=3, height=32, width=32, data=bytes(3072), label=0)
        for part in ("train", "test"):
            write_datums(folder / data / f"cifar10_{part}_lmdb", [(key_of(0), picture)])
    instantiate(template.name, folder, {template.dataset: data})
    assert check_session(folder) == []
    solver = load_solver(folder / "solver.prototxt", folder)
    source = train_net(solver, folder)
    net = insert_splits(filter_net(source.param, source.state)[0])
    assert len(DatumReader(folder / net.layer[0].data_param.source)) > 0
    assert sorted(path.name for path in folder.iterdir() if path.is_file()) == [
        "net.prototxt",
        "solver.prototxt",
    ]


def test_the_first_template_needs_nothing_but_a_folder(tmp_path: Path) -> None:
    first = list_templates()[0]
    assert (first.name, first.dataset) == ("lenet-digits", "digits")
    instantiate(first.name, tmp_path, {"digits": "data"})
    solver = load_solver(tmp_path / "solver.prototxt", tmp_path)
    assert solver.test_iter[0] * 11 == len(DatumReader(tmp_path / "data/digits_test_lmdb"))
    assert (solver.max_iter, solver.snapshot, solver.snapshot_prefix, solver.random_seed) == (
        2000,
        500,
        "lenet",
        1,
    )
    net = train_net(solver, tmp_path).param
    sizes = [
        layer.convolution_param.num_output or layer.inner_product_param.num_output for layer in net.layer
    ]
    assert [size for size in sizes if size] == [20, 50, 500, 10]


def test_unknown_names_and_missing_datasets_are_told(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="there are lenet-digits, "):
        instantiate("alexnet", tmp_path, {})
    with pytest.raises(TemplateError, match="needs the folder of dataset 'cifar10'"):
        instantiate("cifar10-quick", tmp_path, {"digits": "x"})
    assert list(tmp_path.iterdir()) == []
