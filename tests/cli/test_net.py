"""`barista net` on a real agent."""

from __future__ import annotations

from pathlib import Path

from barista_tui.completion import candidates

from .verbshell import Shell

FILES = Path(__file__).parents[1] / "fixtures/golden/solvers"


def test_a_session_is_shown_as_a_table(shell: Shell) -> None:
    shell.new(extra="test_iter: 1\ntest_interval: 10\n")
    shown = shell.barista("net", "tiny").stdout
    assert shown.startswith(
        "train net of tiny in net.prototxt\n"
        "LAYER     TYPE           TOPS      PARAMS  MEMORY\n"
        "data      DummyData      1 4, 1 1            20 B\n"
        "ip        InnerProduct   1 1            5     8 B\n"
        "loss      EuclideanLoss  1                   12 B\n"
        "total                                   5    40 B\n"
        "  parameters  5 (20 B)\n"
        "  tops        28 B, told by Caffe as: Memory required for data: 28\n"
    )
    assert "test net #0 of tiny in net.prototxt" in shown
    assert "training on the CPU takes Caffe about " in shown and "  SGD " in shown
    assert "  batch       1; at most " in shown
    assert shell.barista("net", "tiny", "--phase", "test").stdout.startswith("test net #0")


def test_rows_fit_eighty_columns(shell: Shell) -> None:
    text = (FILES / "net.prototxt").read_text()
    long = text.replace('"ip1"', '"a_layer_with_a_very_long_name/and_more_of_it/ip1"')
    assert long != text
    (shell.files / "long.prototxt").write_text(long)
    shown = shell.barista("net", str(shell.files / "long.prototxt"), "--records", "1x8x8", code=4).stdout
    table = shown.partition("problems")[0]
    assert max(map(len, table.splitlines())) <= 80 and "SoftmaxWithLoss" in table


def test_a_file_is_judged_with_line_and_hint(shell: Shell) -> None:
    path = shell.files / "broken.prototxt"
    path.write_text(
        'layer { name: "d" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }\n'
        'layer { name: "i" type: "InnerProduct" bottom: "x" top: "i" }\n'
        'layer { name: "f" type: "ReLU" bottom: "xx" top: "f" loss_weight: 1 }\n'
    )
    shown = shell.barista("net", str(path), code=4).stdout
    assert f"{path}:2: layer 'i': num_output must be positive\n    add num_output\n" in shown
    assert f"{path}:3: Unknown bottom blob 'xx'" in shown and 'did you mean "x"?' in shown
    assert shown.splitlines()[3].split() == ["i", "InnerProduct", "?"]
    report = shell.barista("net", str(path), "--json", code=4).stdout
    assert '"line": 2' in report
    path.write_text('layer {\n  nmae: "d" type: "Input" top: "x"\n}\n')
    assert f"{path}:2: " in (told := shell.barista("net", str(path), code=4).stdout) and "nmae" in told
    path.write_text('layer {\n  name "d"\n}\n')
    assert f"{path}:2: " in shell.barista("net", str(path), code=4).stderr


def test_words_that_mean_nothing(shell: Shell) -> None:
    assert "there is no session 'nobody'" in shell.barista("net", "nobody", code=3).stderr
    assert "there is no file" in shell.barista("net", "no.prototxt", code=3).stderr
    assert "is a folder" in shell.barista("net", str(shell.files) + "/", code=3).stderr
    assert "channels x height x width" in shell.barista("net", "x", "--records", "3x4", code=2).stderr


def test_stages_and_json(shell: Shell) -> None:
    path = shell.files / "staged.prototxt"
    path.write_text(
        'layer { name: "d" type: "DummyData" top: "x" dummy_data_param { shape { dim: 6 dim: 5 } } }\n'
        'layer { name: "s" type: "Silence" bottom: "x" include { stage: "a" min_level: 2 } }\n'
        'layer { name: "t" type: "Reduction" bottom: "x" top: "t" loss_weight: 1 }\n'
    )
    report = shell.json("net", str(path), "--stage", "a,b", "--level", "3")
    (view,) = report["nets"]
    assert [layer["name"] for layer in view["layers"]] == ["d", "x_d_0_split", "s", "t"]
    assert (view["stages"], view["level"], view["data_size"]) == (["a", "b"], 3, 4 * (30 + 60 + 1))
    assert view["layers"][1]["index"] is None and view["layers"][1]["tops"][0]["shape"] == [6, 5]


def test_sessions_are_offered_and_files_left_to_the_shell() -> None:
    def ask(root: Path | None, kind: str) -> list[str]:
        return [f"{kind}-1"]

    assert candidates(["net", "s"], ask) == ["sessions-1"]
    assert candidates(["net", "./s"], ask) == []
    assert candidates(["net", "--phase", ""], ask) == ["test", "train"]
