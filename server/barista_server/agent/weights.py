"""Answers about trained models: what is in them, values, statistics.

HDF5 files are read in a process of its own, so that a damaged one that libhdf5 stumbles over hurts nobody.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from functools import cache
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from barista_server.agent import apart
from barista_server.agent.errors import CallError
from barista_server.api import messages as m

if TYPE_CHECKING:
    from barista_server.agent.client import Client
    from barista_server.agent.session import Session
    from barista_server.caffe.blobs import Blob
    from barista_server.caffe.model_file import Layer, ModelFile

Asked = m.ListWeights | m.GetBlob | m.GetBlobStats

_DAMAGED = "Is it a .caffemodel of a Caffe, and whole?"


@cache
def _results() -> msgspec.msgpack.Decoder[m.Result]:
    """Made when first wanted: it takes 15 ms."""
    return msgspec.msgpack.Decoder(m.Result)


def calls(find: Callable[[Any], Session]) -> dict[type, Callable[[Any, Client], Awaitable[m.Result]]]:
    """The calls this module answers; ``find`` tells the session that a call is about."""

    async def answered(call: Asked, client: Client) -> m.Result:
        path, facts = _file(call, find)
        result = await asyncio.to_thread(_answer, path, call)
        if isinstance(result, m.WeightsList):
            return msgspec.structs.replace(result, **facts)
        return result

    return dict.fromkeys((m.ListWeights, m.GetBlob, m.GetBlobStats), answered)


def _file(call: Asked, find: Callable[[Any], Session]) -> tuple[Path, dict[str, Any]]:
    """The file that is asked about, and what is known of it. Raises CallError."""
    if not call.session:
        path = Path(call.path)
        if not path.is_absolute():
            raise CallError(
                "invalid", f"'{call.path}' is no absolute path", "Name a session, or a whole path."
            )
        return path, {}
    session = find(call)
    good = session.shelf.good
    if not good:
        raise CallError("not-found", "has no verified snapshot yet", "Take one: barista snapshot.")
    # Of equal iterations the one written last.
    wanted = [one for one in good if call.iteration in (None, one.iteration)]
    if not wanted:
        there = ", ".join(str(one.iteration) for one in good)
        raise CallError("not-found", f"has no snapshot of iteration {call.iteration}", f"There are: {there}.")
    newest = wanted[-1]
    facts = {"session": session.id, "iteration": newest.iteration}
    return session.folder.path / newest.model, facts


def _answer(path: Path, call: Asked) -> m.Result:
    """Blocks. Raises CallError."""
    # Imported here: an agent that is never asked saves the memory.
    from barista_server.caffe.errors import WeightsError
    from barista_server.caffe.hdf5 import is_hdf5

    try:
        if is_hdf5(path):
            return _answer_apart(path, call)
        return answer(path, call)
    except FileNotFoundError:
        hint = "If it was a snapshot, it is gone meanwhile: choose another one."
        raise CallError("not-found", f"there is no {path}", hint) from None
    except WeightsError as error:
        raise CallError("invalid", str(error), _DAMAGED) from None


def _answer_apart(path: Path, call: Asked) -> m.Result:
    out = apart.run(__name__, str(path), data=msgspec.msgpack.encode(call))
    try:
        found: m.Result = _results().decode(out)
        return found
    except msgspec.DecodeError:
        raise CallError("invalid", f"{path}: reading it failed", _DAMAGED) from None


def answer(path: Path, call: Asked) -> m.Result:
    """What a call asks about a file. Blocks. Raises OSError, WeightsError, CallError."""
    from barista_server.caffe.model_file import ModelFile

    with ModelFile(path) as model:
        if isinstance(call, m.ListWeights):
            return _list(path, model)
        if isinstance(call, m.GetBlobStats):
            layers = [_one(model.layers, number, "layer") for number in call.layers]
            return m.BlobStatsList(layers=[[blob and _stats(blob) for blob in one.blobs] for one in layers])
        layer = _one(model.layers, call.layer, "layer")
        blob = _one(layer.blobs, call.blob, "blob")
        if blob is None:
            raise CallError("not-found", f"{path}: the blob is kept with the layer that shares it")
        return _values(blob, call)


def _one(things: Any, index: int, what: str) -> Any:
    if 0 <= index < len(things):
        return things[index]
    raise CallError("not-found", f"there is no {what} {index}", f"There are {len(things)}, from 0 on.")


def _list(path: Path, model: ModelFile) -> m.WeightsList:
    return m.WeightsList(
        path=str(path),
        net=model.net_name,
        size=path.stat().st_size,
        layers=[_layer(one) for one in model.layers],
    )


def _layer(layer: Layer) -> m.LayerWeights:
    blobs = [
        m.BlobInfo(shape=list(blob.shape), dtype=blob.dtype) if blob else m.BlobInfo(shape=[], shared=True)
        for blob in layer.blobs
    ]
    return m.LayerWeights(name=layer.name, type=layer.type, form=layer.form, blobs=blobs)


def _values(blob: Blob, call: m.GetBlob) -> m.BlobValues:
    """Rows start..stop, as many as an answer holds."""
    shape = list(blob.shape)
    while len(shape) > 1 and shape[0] == 1:
        del shape[0]
    rows, row = (shape[0], prod(shape[1:])) if shape else (1, 1)
    if row > m.MOST_VALUES:
        raise CallError("invalid", f"a row of the blob has {row} values, over {m.MOST_VALUES}")
    start = min(max(call.start, 0), rows)
    stop = rows if call.stop is None else min(max(call.stop, start), rows)
    stop = min(stop, start + m.MOST_VALUES // max(row, 1))
    values = blob.flat(start * row, stop * row)
    return m.BlobValues(
        shape=[stop - start, *shape[1:]],
        start=start,
        rows=rows,
        data=values.astype("<f4", copy=False).tobytes(),
    )


def _stats(blob: Blob) -> m.BlobStats:
    from barista_server.caffe.blob_stats import stats_of

    found = stats_of(blob)
    counts = {"count": found.count, "nans": found.nans, "infinite": found.infinite, "zeros": found.zeros}
    if not found.finite:
        return m.BlobStats(**counts)
    return m.BlobStats(
        **counts, least=found.least, mean=found.mean, greatest=found.greatest, deviation=found.deviation
    )


def _main(path: str) -> None:
    """Answer the call on standard input, for an agent that will not open the file itself."""
    from barista_server.caffe.errors import WeightsError

    call = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Asked)
    try:
        result: m.Result = answer(Path(path), call)
    except CallError as error:
        result = m.Failure(code=error.code, text=error.text, hint=error.hint)
    except (WeightsError, OSError) as error:
        result = m.Failure(code="invalid", text=str(error), hint=_DAMAGED)
    sys.stdout.buffer.write(msgspec.msgpack.encode(result))


if __name__ == "__main__":
    apart.limit()
    _main(sys.argv[1])
