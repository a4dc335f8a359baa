"""What executables are found to be: real programs, whole and broken, and caffes of every kind."""

from __future__ import annotations

import platform
import shutil
import sys
import time
from pathlib import Path

import msgspec
import pytest

from barista_server.agent.builds import places, trying
from barista_server.agent.builds.checks import Checks
from barista_server.agent.builds.elf import machine_of, wants
from barista_server.agent.builds.outcome import Check, Outcome, Tries
from barista_server.agent.builds.verdict import judge
from barista_server.agent.caffes import Caffes, Entry
from barista_server.caffe.forks import fork_of_types

from .agents import exists, until

OTHER = Path(__file__).parents[1] / "support" / "other_caffe.py"
TRUE = Path(shutil.which("true") or "/bin/true").resolve()
REAL_ELF = pytest.mark.skipif(
    sys.platform != "linux" or b"libc.so.6" not in TRUE.read_bytes(), reason="true is no program of glibc's"
)


def other(kind: str) -> list[str]:
    return [sys.executable, str(OTHER), kind]


async def tried(folder: Path, argv: list[str], longest: float = 60.0) -> Check:
    check = judge(argv, await trying.try_out(argv, folder / "checks", longest), 1.0)
    assert not (folder / "checks").exists()
    return check


# ------------------------------------------------------------------------------------------------ the kinds


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("bvlc", Check("BVLC", "1.0.0", False)),
        ("bvlc-gpu", Check("BVLC", "1.0.0", True)),
        ("own-layers", Check("BVLC", "1.0.0", False)),
        ("old", Check("Caffe", "", False)),
        ("nvcaffe", Check("NVCaffe", "0.17.3", True)),
        ("intel", Check("Intel Caffe", "1.0.0", False)),
        ("opencl", Check("OpenCL Caffe", "1.0.0", True)),
        ("ssd", Check("SSD", "1.0.0-rc3", False)),
        ("card-only", Check("BVLC", "1.0.0", True)),
    ],
)
async def test_a_kind_is_known_by_what_it_says(tmp_path: Path, kind: str, expected: Check) -> None:
    check = await tried(tmp_path, other(kind))
    assert (check.kind, check.version, check.gpu) == (expected.kind, expected.version, expected.gpu)
    assert check.problem is None


@pytest.mark.parametrize(
    ("said", "gpu"),
    [
        ("torch 2.0 was built without CUDA: install a build with it", False),
        ("torch finds no GPU: see what nvidia-smi and CUDA_VISIBLE_DEVICES say", True),
        ("Device id:                     0", True),
    ],
)
def test_the_embedded_engine_is_for_cards_if_its_torch_is(said: str, gpu: bool) -> None:
    version = Outcome(0, out="caffe version 1.0.0\n(barista-caffe, the engine)\n")
    devices = Outcome(1, err=f"Cannot use GPU in CPU-only Caffe: check mode. {said}")
    tries = Tries(version, Outcome(0), wrote=True, devices=devices)
    assert judge(["barista-caffe"], tries, 1.0) == Check("embedded", "1.0.0", gpu, at=1.0)


async def test_a_card_is_shown_to_a_build_that_cannot_do_without(tmp_path: Path) -> None:
    tries = await trying.try_out(other("card-only"), tmp_path / "checks")
    assert tries.wrote and tries.trained is not None and tries.trained.code == 0
    assert tries.devices is not None and "no CUDA-capable device" in tries.devices.err


def test_a_fork_is_known_by_its_layers() -> None:
    own = ["Convolution", "Python", "ReLU"]
    assert fork_of_types([*own, "DetectNetTransformation", "TRT", "Axpy", "L1Loss", "PriorBox"]) == "NVCaffe"
    assert fork_of_types(own) == "" and fork_of_types([*own, "Mine", "Yours"]) == ""


# ----------------------------------------------------------------------------------------------- the problems


@pytest.mark.parametrize(
    ("kind", "problem", "hint"),
    [
        ("elsewhere", "does not see the folder it is started in", "same path"),
        ("nowhere", "leaves no snapshot in the folder", "same path"),
        ("broken", "fails at a training of one iteration: Check failed: a == b (1 vs. 2)", ""),
        ("nonsense", "", ""),
    ],
)
async def test_a_build_that_does_not_train(tmp_path: Path, kind: str, problem: str, hint: str) -> None:
    check = await tried(tmp_path, other(kind))
    assert (check.problem or "").startswith(problem) and hint in (check.hint or "")
    assert (check.problem is None) is (not problem)


async def test_one_that_hangs_is_ended_with_all_it_started(tmp_path: Path) -> None:
    wrapper = script(tmp_path / "caffe", f"sleep 1000 & echo $! >> {tmp_path}/pids; wait")
    check = await tried(tmp_path, [str(wrapper)], longest=0.5)
    assert check.problem == "did not come to its end in time"
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    await until(lambda: not any(map(exists, pids)), "what it started has ended")


@pytest.mark.skipif(sys.platform != "linux" or shutil.which("setsid") is None, reason="needs setsid")
@pytest.mark.parametrize("words", ["cat /dev/zero", "exec sleep 1000"])
async def test_one_that_hides_is_ended_too(tmp_path: Path, words: str) -> None:
    inner = script(tmp_path / "inner", f"echo $$ >> {tmp_path}/pids; {words}")
    wrapper = script(tmp_path / "caffe", f"setsid {inner} & sleep 1000")
    begun = time.monotonic()
    await tried(tmp_path, [str(wrapper)], longest=1.0)
    assert time.monotonic() - begun < trying.AFTER, "nobody waits for what it left behind"
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert pids
    await until(lambda: not any(map(exists, pids)), "what it left behind has ended")


async def test_one_that_took_long_to_fail_waits_longer_for_the_next_try(tmp_path: Path) -> None:
    checks, argv = Checks(tmp_path), [str(script(tmp_path / "caffe", "exit 1"))]
    assert checks.is_due(argv)
    check = await checks.make(argv)
    assert check.problem and not checks.is_due(argv)
    for took, before, due in ((1.0, 70.0, True), (60.0, 70.0, False), (60.0, 3700.0, True)):
        late = msgspec.structs.replace(check, at=time.time() - before, took=took)
        text = (tmp_path / "caffe-checks.json").read_text()
        kept = msgspec.json.decode(text)
        kept["checks"] = {key: msgspec.to_builtins(late) for key in kept["checks"]}
        (tmp_path / "caffe-checks.json").write_bytes(msgspec.json.encode(kept))
        assert Checks(tmp_path).is_due(argv) is due


@pytest.mark.parametrize("words", ["exit 0", "echo hello; exit 1", "cat /dev/zero", "kill -SEGV $$"])
async def test_another_program_of_that_name(tmp_path: Path, words: str) -> None:
    check = await tried(tmp_path, [str(script(tmp_path / "caffe", words))], longest=20.0)
    assert check.problem is not None and check.problem.startswith("is not caffe, or a wrapper that fails")
    assert ("said “hello”" in check.problem) is ("hello" in words) and len(check.problem) < 200


@REAL_ELF
async def test_a_missing_library_is_named(tmp_path: Path) -> None:
    caffe = elf(tmp_path, b"libc.so.6", b"libq.so.6")
    check = await tried(tmp_path, [str(caffe)])
    assert check.problem == "needs the library libq.so.6, not found on this machine"
    assert "LD_LIBRARY_PATH" in (check.hint or "")


@REAL_ELF
async def test_a_program_for_another_machine(tmp_path: Path) -> None:
    caffe = elf(tmp_path)
    content = bytearray(caffe.read_bytes())
    content[18:20] = (22).to_bytes(2, sys.byteorder)  # e_machine: s390x
    caffe.write_bytes(content)
    check = await tried(tmp_path, [str(caffe)])
    assert check.problem == f"is built for s390x, and this machine is {platform.machine()}"


@REAL_ELF
async def test_a_loader_that_is_not_there(tmp_path: Path) -> None:
    loader = wants(TRUE)
    gone = loader[:-1] + "0"
    check = await tried(tmp_path, [str(elf(tmp_path, loader.encode(), gone.encode()))])
    assert check.problem == f"needs {gone}, which is not there"


async def test_scripts_that_cannot_be_started(tmp_path: Path) -> None:
    caffe = tmp_path / "caffe"
    caffe.write_text("#!/no/such/shell\n")
    caffe.chmod(0o755)
    assert (await tried(tmp_path, [str(caffe)])).problem == "needs /no/such/shell, which is not there"
    caffe.write_text("no first line\n")
    assert (await tried(tmp_path, [str(caffe)])).problem == "is no program for this machine"
    gone = (await tried(tmp_path, [str(tmp_path / "gone")])).problem
    assert gone is not None and gone.startswith("cannot be started: ")


@pytest.mark.parametrize(
    ("err", "code", "missing", "problem"),
    [
        (
            "caffe: error while loading shared libraries: libcudart.so.8.0: cannot open shared object file",
            127,
            ["libcudart.so.8.0", "libcudnn.so.5"],
            "needs the libraries libcudart.so.8.0, libcudnn.so.5, not found on this machine",
        ),
        (
            "dyld: Library not loaded: @rpath/libcaffe.so.1.0.0\n  Referenced from: /opt/caffe",
            -6,
            [],
            "needs the library @rpath/libcaffe.so.1.0.0, not found on this machine",
        ),
        (
            "caffe: /lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.34' not found (required by caffe)",
            1,
            [],
            "needs GLIBC_2.34, newer than what this machine has",
        ),
        (
            "caffe: symbol lookup error: libcaffe.so.1.0.0: undefined symbol: _ZN6google8protobuf",
            127,
            [],
            "was built with other libraries than those it finds: no symbol _ZN6google8protobuf",
        ),
        ("", -4, [], "uses instructions that this machine's processor does not have"),
    ],
)
def test_what_a_loader_says(err: str, code: int, missing: list[str], problem: str) -> None:
    outcome = Outcome(code, err=err)
    check = judge(["caffe"], Tries(outcome, outcome, missing=missing), 1.0)
    assert check.problem == problem and check.hint


def test_files_that_are_no_programs(tmp_path: Path) -> None:
    for content in (b"", b"\x7fELF", b"\x7fELF" + b"\xff" * 100, b"#!", b"MZ", bytes(100)):
        (tmp_path / "x").write_bytes(content)
        assert isinstance(machine_of(tmp_path / "x") + wants(tmp_path / "x"), str)
    assert machine_of(tmp_path / "gone") == wants(tmp_path / "gone") == ""


# -------------------------------------------------------------------------------------------------- the list


async def test_where_builds_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    on_path = script(tmp_path / "bin" / "caffe", "exit 0")
    script(tmp_path / "caffe-ssd" / "build" / "tools" / "caffe.bin", "exit 0")
    (tmp_path / "caffe-ssd" / "build" / "tools" / "caffe").symlink_to("caffe.bin")
    conda = script(tmp_path / "miniconda3" / "envs" / "old" / "bin" / "caffe", "exit 0")
    (tmp_path / "miniconda3" / "envs" / "bad" / "bin" / "caffe").mkdir(parents=True)
    rooted = script(tmp_path / "src" / "build" / "tools" / "caffe", "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CAFFE_ROOT", str(tmp_path / "src"))
    own = [one for one in places.USUAL if one.startswith(("~", "$"))]
    monkeypatch.setenv(places.PLACES, ":".join(own))
    found = Caffes(tmp_path).find()
    ssd = str(tmp_path / "caffe-ssd" / "build" / "tools" / "caffe")
    assert [(one.name, one.source) for one in found] == [
        ("caffe", "path"),
        (str(rooted), "found"),
        (ssd, "found"),
        (str(conda), "found"),
        ("embedded", "embedded"),
    ]
    # One that a person has named is not told twice, and goes first.
    Caffes(tmp_path).write([Entry("mine", [ssd]), Entry("caffe", [str(on_path), "--x"])])
    names = [one.name for one in Caffes(tmp_path).find()]
    assert names == ["mine", "caffe", str(on_path), str(rooted), str(conda), "embedded"]
    monkeypatch.delenv(places.PLACES)
    assert {str(rooted), ssd, str(conda)} - {"/"} <= {one.argv[0] for one in Caffes(tmp_path).find()}


async def test_the_first_that_trains_is_taken(tmp_path: Path) -> None:
    caffes = Caffes(tmp_path)
    assert (await caffes.choose("")).name == "embedded"
    assert not (tmp_path / "caffe-checks.json").exists()
    caffes.write([Entry("gone", ["/no/caffe"]), Entry("bad", other("broken")), Entry("good", other("bvlc"))])
    assert (await caffes.choose("")).name == "good"
    assert (await caffes.choose("bad")).problem is None
    with pytest.raises(KeyError):
        await caffes.choose("none")


async def test_what_was_found_is_kept_until_the_file_changes(tmp_path: Path) -> None:
    wrapper = script(tmp_path / "caffe", f'echo >> {tmp_path}/starts; exec {" ".join(other("ssd"))} "$@"')

    def starts() -> int:
        return len((tmp_path / "starts").read_text())

    Caffes(tmp_path).write([Entry("mine", [str(wrapper)])])
    mine = (await Caffes(tmp_path).check(["mine"], again=False))[0]
    assert (mine.kind, starts()) == ("SSD", 5) and mine.checked
    again = Caffes(tmp_path)
    assert (await again.check(["mine"], again=False))[0] == mine == again.find()[0]
    assert starts() == 5
    await again.check(["mine"], again=True)
    assert starts() == 10
    wrapper.write_text("#!/bin/sh\nexit 1\n# changed\n")
    assert again.find()[0].checked is None and again.find()[0].kind == ""
    assert "is not caffe" in ((await again.check(["mine"], again=False))[0].problem or "")
    assert again.get("mine").problem is None, "it may be mended by now: a start tells"
    assert len((tmp_path / "caffe-checks.json").read_text().split('"at"')) == 2, "only as it is now"
    (tmp_path / "caffe-checks.json").write_text("{")
    assert Caffes(tmp_path).find()[0].checked is None


def script(path: Path, words: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{words}\n")
    path.chmod(0o755)
    return path


def elf(folder: Path, old: bytes = b"", new: bytes = b"") -> Path:
    """A copy of true, with a name in it changed to one as long."""
    path = folder / "caffe"
    content = TRUE.read_bytes()
    path.write_bytes(content.replace(old, new) if old else content)
    path.chmod(0o755)
    return path
