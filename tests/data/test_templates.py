"""Templates: each gives a session without problems once its data is there."""

from pathlib import Path

import pytest

from barista_server.caffe.check import check_session
from barista_server.caffe.net import filter_net, insert_splits
from barista_server.caffe.schema import Datum
from barista_server.caffe.solver import load_solver, train_net
from barista_server.data.digits import enlarge, load_digits, write_pairs_lmdb
from barista_server.data.lmdb_io import DatumReader, key_of, write_datums
from barista_server.templates import Template, TemplateError, instantiate, list_templates

BROUGHT = {
    "cifar10": (32, ["cifar10_train_lmdb", "cifar10_test_lmdb"]),
    "imagenet": (256, ["ilsvrc12_train_lmdb", "ilsvrc12_val_lmdb"]),
}
"""Datasets that a person brings: side of a picture and names of the databases."""


@pytest.mark.parametrize("template", list_templates(), ids=lambda template: template.name)
@pytest.mark.parametrize("data", ["data", "../the data", 'ABSOLUTE/dätä "1\\'])
def test_an_instantiated_template_is_a_sound_session(tmp_path: Path, template: Template, data: str) -> None:
    folder = tmp_path / "session"
    folder.mkdir()
    data = data.replace("ABSOLUTE", str(tmp_path))
    side, names = BROUGHT.get(template.dataset, (0, []))
    for name in names:
        picture = Datum(channels=3, height=side, width=side, data=bytes(3 * side * side), label=0)
        write_datums(folder / data / name, [(key_of(0), picture)])
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
        instantiate("resnet", tmp_path, {})
    with pytest.raises(TemplateError, match="needs the folder of dataset 'cifar10'"):
        instantiate("cifar10-quick", tmp_path, {"digits": "x"})
    assert list(tmp_path.iterdir()) == []


def test_pairs_are_balanced_and_truly_same_or_different(tmp_path: Path) -> None:
    train, test = write_pairs_lmdb(tmp_path)
    images, labels = load_digits()
    classes = {
        picture.tobytes(): int(label) for picture, label in zip(enlarge(images, 28), labels, strict=True)
    }
    for path, count in ((train, 3000), (test, 594)):
        reader = DatumReader(path)
        assert len(reader) == count
        records = [datum for _, datum in reader.records()]
        assert sum(record.label for record in records) == count // 2
        for record in records:
            left, right = record.data[:784], record.data[784:]
            assert (classes[left] == classes[right]) == record.label and left != right
