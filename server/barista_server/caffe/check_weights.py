"""Whether weights that a solver starts from can be read and fit its nets."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from barista_server.caffe.blobshape import Shape, shape_text
from barista_server.caffe.errors import WeightsError
from barista_server.caffe.faults import Fault
from barista_server.caffe.model_file import ModelFile
from barista_server.caffe.paths import missing
from barista_server.caffe.schema import SolverParameter


class Held(NamedTuple):
    """Names of a file's layers with shapes of their blobs; None for a blob that stands with another layer."""

    name: str
    position: int
    layers: Sequence[tuple[str, Sequence[Shape | None]]]


def weights_faults(
    solver: SolverParameter, folder: Path, nets: Sequence[Mapping[str, Sequence[Shape]]]
) -> Iterator[Fault]:
    """Faults of the solver's `weights`; nets: shapes of parameters by layer name, in each net it builds."""
    for position, names in enumerate(solver.weights):
        for name in map(str.strip, names.split(",")):
            absent = list(missing("weights", name, folder, f"weights file '{name}'"))
            if absent:
                yield absent[0]._replace(position=position)
                continue
            if _is_empty(Path(folder, name)):
                message = f"weights file '{name}' is empty: nothing is taken over"
                yield Fault("weights", message, severity="warning", position=position)
                continue
            try:
                held = Held(name, position, _shapes(Path(folder, name)))
            except OSError as error:
                message = f"weights file '{name}' cannot be read: {error.strerror or error}"
                yield Fault("weights", message, position=position)
            except WeightsError as error:
                message = f"weights file '{name}' is damaged or no .caffemodel: {error}"
                yield Fault("weights", message, "take another snapshot", position=position)
            else:
                yield from _misfits(held, nets)


def _is_empty(path: Path) -> bool:
    try:
        return path.is_file() and path.stat().st_size == 0
    except OSError:
        return False


def _shapes(path: Path) -> list[tuple[str, list[Shape | None]]]:
    with ModelFile(path) as model:
        return [
            (layer.name, [blob.shape if blob else None for blob in layer.blobs]) for layer in model.layers
        ]


def _misfits(held: Held, nets: Sequence[Mapping[str, Sequence[Shape]]]) -> Iterator[Fault]:
    trained = {name for net in nets for name, shapes in net.items() if shapes}
    names = [name for name, shapes in held.layers if shapes]
    if trained and not trained.intersection(names):
        message = f"no layer of '{held.name}' has the name of a layer with parameters: nothing is taken over"
        hint = f"it has {', '.join(names[:5])}" if names else ""
        yield Fault("weights", message, hint, "warning", held.position)
    told: set[str] = set()
    for net in nets:
        for name, theirs in held.layers:
            if name not in net or name in told:
                continue
            for message in _differences(name, theirs, net[name]):
                told.add(name)
                hint = "rename the layer to learn its parameters from scratch"
                yield Fault("weights", f"'{held.name}': {message}", hint, position=held.position)


def _differences(name: str, theirs: Sequence[Shape | None], ours: Sequence[Shape]) -> Iterator[str]:
    if len(theirs) != len(ours):
        yield f"layer '{name}' has {len(theirs)} blobs there, {len(ours)} in the net"
        return
    for position, (source, target) in enumerate(zip(theirs, ours, strict=True)):
        if source is not None and source != target and source != (1,) * (4 - len(target)) + tuple(target):
            yield (
                f"blob {position} of layer '{name}' is {shape_text(source)} there, "
                f"{shape_text(target)} in the net"
            )
            return
