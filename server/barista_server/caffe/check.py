"""What is wrong with a session's files, found before a training starts and without an engine."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import product
from pathlib import Path

from barista_server.caffe.blobshape import Shape, shape_text
from barista_server.caffe.check_net import CheckedNet, check_net, unknown_problems
from barista_server.caffe.check_solver import solver_faults
from barista_server.caffe.check_weights import weights_faults
from barista_server.caffe.faults import Fault, Problem
from barista_server.caffe.net import NetError
from barista_server.caffe.prototxt import PrototxtError
from barista_server.caffe.schema import LayerParameter, NetParameter, SolverParameter
from barista_server.caffe.solver import (
    NetSource,
    SolverError,
    check_solver,
    test_nets,
    train_net,
    upgrade_solver,
)
from barista_server.caffe.source_rules import Stored
from barista_server.caffe.stored_shapes import stored_in
from barista_server.caffe.tokens import field_lines
from barista_server.caffe.tolerant import UnknownField, parse_tolerant

__all__ = ["Problem", "check_session"]


def check_session(
    folder: Path,
    solver_name: str = "solver.prototxt",
    weights: str = "",
    read: Callable[[Path], bytes] = Path.read_bytes,
) -> list[Problem]:
    """Check solver, nets and data of a session whose training runs in `folder`; no problems: an empty list.
    weights: what is given as `--weights`, in place of the solver's own.
    read: gives the text of a prototxt file, which need not be the one on the disk; raises OSError.

    Fields and layer types that Caffe 1.0 lacks are warnings, as a fork may have them; what looks like a slip
    of the keyboard is an error. Never raises for what the files hold.
    """
    try:
        text = read(folder / solver_name)
        solver, unknown = parse_tolerant(text, SolverParameter, solver_name)
    except (OSError, PrototxtError) as error:
        return [_reading_problem(error, solver_name)]
    lines = field_lines(text.decode("utf-8", "replace"))
    if weights:
        solver.weights[:], lines = [weights], {**lines, "weights": []}
    return _Check(folder, solver_name, lines, read).run(solver, unknown)


class _Check:
    """One look at a session. problems: an ordered set, since train and test net often share a file."""

    def __init__(
        self, folder: Path, solver_name: str, lines: dict[str, list[int]], read: Callable[[Path], bytes]
    ) -> None:
        self._folder = folder
        self._text = read
        self._name = solver_name
        self._lines = lines
        self._problems: dict[Problem, None] = {}
        self._foreign: dict[str, list[UnknownField]] = {}
        self._stored = _remembering(stored_in(folder))

    def run(self, solver: SolverParameter, unknown: list[UnknownField]) -> list[Problem]:
        """All problems: of the solver, of its nets, of what these read and start from."""
        slips = self._tell_unknown(self._name, unknown)
        try:
            upgrade_solver(solver, self._name, self._folder)
            check_solver(solver)
        except SolverError as error:
            if not slips:  # what follows from a slip is no news
                self._tell([self._placed(Fault(error.field, str(error), error.hint))])
        if not slips:
            self._tell(map(self._placed, solver_faults(solver, self._folder)))
        trained = self._nets(lambda: [train_net(solver, self._folder, self._read)])
        tested = self._nets(lambda: test_nets(solver, self._folder, self._read))
        params: list[dict[str, Sequence[Shape]]] = [net.params for net in (*trained, *tested)]
        self._tell(map(self._placed, weights_faults(solver, self._folder, params)))
        self._tell(_shared_params(trained, tested))
        self._tell(_shared_data(trained, tested))
        return list(self._problems)

    def _tell(self, problems: Iterable[Problem]) -> None:
        self._problems.update(dict.fromkeys(problems))

    def _placed(self, fault: Fault) -> Problem:
        """A fault of the solver with its line."""
        lines = self._lines.get(fault.field, [])
        line = lines[fault.position] if fault.position < len(lines) else None
        return Problem(self._name, line, fault.message, fault.hint, fault.severity)

    def _tell_unknown(self, file: str, unknown: list[UnknownField]) -> bool:
        """Tell of fields that Caffe 1.0 lacks. Returns whether some are slips."""
        problems = unknown_problems(file, unknown)
        self._tell(problems)
        return any(problem.severity == "error" for problem in problems)

    def _read(self, path: str | Path, cls: type[NetParameter], notes: list[str]) -> NetParameter:
        text = self._text(Path(path))
        net, self._foreign[_within(self._folder, str(path))] = parse_tolerant(text, cls, str(path))
        return net

    def _nets(self, read: Callable[[], list[NetSource]]) -> list[CheckedNet]:
        """Check the train net, or the test nets; none of them if one cannot be read."""
        try:
            sources = read()
        except SolverError:
            return []  # told with the solver
        except PrototxtError as error:
            self._tell([_reading_problem(error, _within(self._folder, error.path or self._name))])
            return []
        except NetError as error:
            file = _within(self._folder, error.path or self._name)
            self._tell_unknown(file, self._foreign.get(file, []))
            self._tell([Problem(file, None, str(error), error.hint)])
            return []
        except OSError as error:
            name = _within(self._folder, str(error.filename))
            asked = [
                line for field in ("net", "train_net", "test_net") for line in self._lines.get(field, [])
            ]
            message = f"net file '{name}' cannot be read: {error.strerror}"
            self._tell([Problem(self._name, asked[0] if asked else None, message)])
            return []
        return [net for net in map(self._net, sources) if net is not None]

    def _net(self, source: NetSource) -> CheckedNet | None:
        file = source.path or self._name
        unknown = self._foreign.get(_within(self._folder, str(Path(self._folder, source.path or ""))), [])
        if self._tell_unknown(file, unknown):
            return None
        checked = check_net(source, self._folder, file, unknown, self._stored, self._text)
        self._tell(checked.problems)
        return checked


def _remembering(stored: Stored) -> Stored:
    """Asks once for each layer: every test net reads the same sources again."""
    known: dict[bytes, Sequence[Shape] | None] = {}

    def remembered(layer: LayerParameter) -> Sequence[Shape] | None:
        key = layer.SerializeToString()
        if key not in known:
            known[key] = stored(layer)
        return known[key]

    return remembered


def _shared_params(trained: list[CheckedNet], tested: list[CheckedNet]) -> Iterator[Problem]:
    """Layers of test nets that cannot take the parameters of the trained layer of their name."""
    for learned, net in product(trained, tested):
        for name, shapes in learned.params.items():
            theirs = net.params.get(name)
            if theirs is None or tuple(theirs) == tuple(shapes):
                continue
            ours = " and ".join(map(shape_text, shapes)) or "none"
            message = (
                f"layer '{name}': cannot share its parameters with the TRAIN net, where they are "
                f"{ours}; here: {' and '.join(map(shape_text, theirs)) or 'none'}"
            )
            yield Problem(net.file, net.lines[name], message, "does the data of both nets have one shape?")


def _shared_data(trained: list[CheckedNet], tested: list[CheckedNet]) -> Iterator[Problem]:
    """A LevelDB that is opened twice, and test layers of their own that name nothing but training data."""
    opened: dict[Path, str] = {}
    for net in (*trained, *tested):
        for read in net.reads:
            if read.kind != "LevelDB":
                continue
            if read.path in opened:
                message = f"layer '{read.layer}': the {net.phase} net opens a LevelDB that is open already"
                hint = f"by layer {opened[read.path]}: it takes one reader, so use a copy or an LMDB"
                yield Problem(net.file, read.line, message, hint)
            opened.setdefault(read.path, f"'{read.layer}' of the {net.phase} net")
    learned = {(read.kind, read.path) for net in trained for read in net.reads}
    lines = {(net.file, read.line) for net in trained for read in net.reads}
    if any((read.kind, read.path) not in learned for net in tested for read in net.reads):
        return
    for net in tested:
        for read in net.reads:
            if (net.file, read.line) in lines:
                continue  # one layer for both phases is no slip
            message = f"layer '{read.layer}': the TEST net reads the data that is trained on"
            hint = "the test will not tell how well it does on other data"
            yield Problem(net.file, read.line, message, hint, "warning")


def _reading_problem(error: OSError | PrototxtError, file: str) -> Problem:
    if isinstance(error, PrototxtError):
        return Problem(file, error.line, error.message, error.hint)
    return Problem(file, None, f"cannot be read: {error.strerror or error}")


def _within(folder: Path, path: str) -> str:
    """The path as the session names it: relative where it is inside the folder."""
    return str(Path(path).relative_to(folder)) if Path(path).is_relative_to(folder) else path
