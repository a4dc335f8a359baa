"""A person's files, made fit for the session's folder and otherwise left as they are."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from barista_server.agent.compose import prepare_net, prepare_solver, values
from barista_server.agent.datalists import adopt_lists
from barista_server.caffe import prototxt
from barista_server.caffe.schema import NetParameter, SolverParameter


def test_solver_keeps_comments_and_order() -> None:
    text = """# the solver
net: "examples/lenet.prototxt"  # net: "old"
test_iter: 100
snapshot_prefix: 'examples/mnist/lenet'
solver_mode: 1
weights: "a.caffemodel, /abs/b.caffemodel"
"""
    assert (
        prepare_solver(text, "/base", "cpu")
        == """# the solver
net: "net.prototxt"  # net: "old"
test_iter: 100
snapshot_prefix: "lenet"
solver_mode: CPU
weights: "/base/a.caffemodel,/abs/b.caffemodel"
"""
    )
    assert "solver_mode: 1" in prepare_solver(text, "/base", "0")


def test_what_is_missing_is_added() -> None:
    text = prepare_solver("base_lr: 0.1", "", "cpu")
    solver = prototxt.parse(text, SolverParameter)
    assert (solver.net, solver.snapshot_prefix) == ("net.prototxt", "snapshot")
    inline = 'net_param { name: "x" layer { name: "y" type: "ReLU" } }\nsnapshot_prefix: "dir/"'
    assert prepare_solver(inline, "", "cpu") == inline.replace("dir/", "dir")


def test_paths_of_the_net_start_from_the_base() -> None:
    text = """layer { name: "source" type: "Data" data_param { source: "train" backend: LMDB }
  transform_param { mean_file: '/abs/mean' } }
layer { type: "HDF5Data" hdf5_data_param: { source: "list.txt" } }  # source: "x"
layer { type: "ImageData" image_data_param < source: "a\\"b" root_folder: "pics/" > }
"""
    assert prepare_net(text, "") == text
    found = prepare_net(text, "/data")
    assert 'source: "/data/train"' in found and "'/abs/mean'" in found and '"/data/list.txt"' in found
    assert r'source: "/data/a\"b"' in found and 'root_folder: "/data/pics/"' in found
    assert 'name: "source"' in found and '# source: "x"' in found


@given(st.text(alphabet="{}<>:\"' \nab#,[]\\", max_size=60))
def test_no_text_makes_it_stumble(text: str) -> None:
    for value in values(text):
        assert text[value.start :].startswith(value.text)
    assert prepare_net(text, "") == text
    prepare_solver(text, "/base", "cpu")


LISTS = """layer { name: "a" type: "HDF5Data" top: "x" hdf5_data_param { source: "train.txt" batch_size: 2 } }
layer { name: "b" type: "HDF5Data" top: "x" hdf5_data_param { source: "sub/train.txt" batch_size: 2 } }
layer { name: "c" type: "HDF5Data" top: "x" hdf5_data_param { source: "whole.txt" batch_size: 2 } }
layer { name: "d" type: "HDF5Data" top: "x" hdf5_data_param { source: "absent.txt" batch_size: 2 } }
layer { name: "e" type: "ImageData" top: "x" top: "y" image_data_param { source: "images.txt" } }
layer { name: "f" type: "ImageData" top: "x" image_data_param { source: "rooted.txt" root_folder: "p/" } }
"""


def test_data_lists_mean_the_same_files_as_before(tmp_path: Path) -> None:
    base = str(tmp_path)
    (tmp_path / "sub").mkdir()
    for name, text in {
        "train.txt": "a.h5\n/abs/b.h5\n",
        "sub/train.txt": "sub/c.h5",
        "whole.txt": "/abs/d.h5\n",
        "images.txt": "cat.png 0\n",
        "rooted.txt": "dog.png 1\n",
    }.items():
        (tmp_path / name).write_text(text)
    net, beside = adopt_lists(prepare_net(LISTS, base), base, lambda path: Path(path).read_bytes())
    assert beside == {
        "lists/train.txt": f"{base}/a.h5\n/abs/b.h5\n".encode(),
        "lists/2-train.txt": f"{base}/sub/c.h5\n".encode(),
    }
    layers = prototxt.parse(net, NetParameter).layer
    sources = [layer.hdf5_data_param.source for layer in layers[:4]]
    assert sources == ["lists/train.txt", "lists/2-train.txt", f"{base}/whole.txt", f"{base}/absent.txt"]
    assert [layer.image_data_param.root_folder for layer in layers[4:]] == [f"{base}/", f"{base}/p/"]
    assert adopt_lists(LISTS, "", lambda path: b"") == (LISTS, {})


def test_files_that_layers_of_ssd_read_are_found_again() -> None:
    net = 'layer { type: "AnnotatedData" annotated_data_param { label_map_file: "data/map.prototxt" } }\n'
    net += 'layer { detection_output_param { save_output_param { name_size_file: "/n" } } }'
    changed = prepare_net(net, "/home/p")
    assert changed == net.replace('"data/map.prototxt"', '"/home/p/data/map.prototxt"')
