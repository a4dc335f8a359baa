"""Files of forks on the engine: harmless fields are left out with a word, all others end as caffe ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from .golden_logs import NET, SOLVER, differences, read_lines, run_caffe, write_project

ABORTED = -6


def train(folder: Path, net: str, solver: str) -> tuple[int, bytes]:
    (folder / "net.prototxt").write_text(net)
    (folder / "solver.prototxt").write_text(solver)
    done = run_caffe("train", "--solver=solver.prototxt", cwd=folder)
    return done.returncode, done.stderr


def test_a_file_of_nvcaffe_with_harmless_fields_trains(tmp_path: Path) -> None:
    write_project(tmp_path, max_iter=2)
    solver = (tmp_path / "solver.prototxt").read_text()
    plain = train(tmp_path, NET, solver)
    forked = train(
        tmp_path,
        "default_forward_type: FLOAT16\n" + NET.replace("data_param {", "data_param { threads: 4"),
        solver + "store_blobs_in_old_format: true\n",
    )
    assert plain[0] == forked[0] == 0
    notes = [line for line in read_lines(forked[1]) if line.text.startswith("Ignoring '")]
    words = [line.text.split("'")[1] for line in notes]
    nets = ["default_forward_type: FLOAT16", "threads: 4"]
    assert words[:3] == ["store_blobs_in_old_format: true", *nets]
    assert {line.level for line in notes} == {"W"} and "of NVCaffe" in notes[0].text
    rest = [line for line in read_lines(forked[1]) if line not in notes]
    assert differences(rest, read_lines(plain[1]), 0) == []


@pytest.mark.parametrize(
    ("net", "solver", "kind", "place", "hint"),
    [
        ("", "larc: true\n", "Solver", "1:1", "(larc is of NVCaffe and changes the result: "),
        ("", "base_lrr: 1\n", "Solver", "1:1", '(did you mean "base_lr"?)'),
        ("debug_info: 1\nlayer { permute_param { } }\n", "", "Net", "2:9", "(permute_param is of SSD"),
        ("global_grad_scale: 2 frobnicate: 3\n", "", "Net", "1:22", "(Caffe 1.0 has no such field; a fork"),
    ],
)  # fmt: skip
def test_other_unknown_fields_end_as_caffe_ends(
    net: str, solver: str, kind: str, place: str, hint: str, tmp_path: Path
) -> None:
    code, log = train(tmp_path, net + NET, solver + SOLVER.format(max_iter=1, snapshot=0))
    lines = log.decode().splitlines()
    start = "[libprotobuf ERROR google/protobuf/text_format.cc:337] Error parsing text-format "
    start += f"caffe.{kind}Parameter: "
    error = next(line for line in lines if line.startswith(start))
    assert error.removeprefix(start).startswith(f"{place}: Message type") and hint in error
    last = f"Failed to parse {kind}Parameter file: {'net' if net else 'solver'}.prototxt"
    assert code == ABORTED and any(line.startswith("F") and line.endswith(last) for line in lines)
