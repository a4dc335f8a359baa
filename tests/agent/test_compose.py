"""A person's files, made fit for the session's folder and otherwise left as they are."""

from __future__ import annotations

from barista_server.agent.compose import prepare_net, prepare_solver, values
from barista_server.caffe import prototxt
from barista_server.caffe.schema import SolverParameter
from hypothesis import given
from hypothesis import strategies as st


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
