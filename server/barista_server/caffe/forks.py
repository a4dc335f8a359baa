"""What forks of Caffe added to its text files, what of it may be left out, and what is a typing error."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from google.protobuf.descriptor import Descriptor

from barista_server.caffe.layer_types import LAYER_TYPES
from barista_server.caffe.prototxt import M, PrototxtError, nearest, parse
from barista_server.caffe.schema import LayerParameter, NetParameter, SolverParameter, V1LayerParameter
from barista_server.caffe.tolerant import UnknownField, parse_known, refusal, split_unknown

_TABLE = Path(__file__).with_name("forks.tsv")
_KEEP = "keep it if your caffe has it, else take it out"


@dataclass(frozen=True, slots=True)
class ForkFact:
    """names: forks that have a field, value or layer type; harmless: the result is the same without it."""

    names: str
    harmless: bool


@dataclass(frozen=True, slots=True)
class Judgement:
    """What an unknown field is to a person whose caffe is not known."""

    message: str
    hint: str
    severity: Literal["error", "warning"]


def fact_of(unknown: UnknownField) -> ForkFact | None:
    """The forks that have the field, or the value of the field."""
    value = f"={unknown.value}" if unknown.value else ""
    fact = _table().get(f"{unknown.message}.{unknown.name}{value}")
    if fact is None and unknown.value and (unknown.message, unknown.name) == ("V1LayerParameter", "type"):
        same = (key for key in _table() if key.lower() == f"type={_plain(unknown.value)}")
        fact = next((_table()[key] for key in same), None)
    if fact is None and unknown.message == "V1LayerParameter":
        fact = _table().get(f"LayerParameter.{unknown.name}")
    return fact


def forks_with_layer(layer_type: str) -> str:
    """Names of forks that have the layer type; empty if none is known."""
    fact = _table().get(f"type={layer_type}")
    return fact.names if fact else ""


def fork_of_types(types: Collection[str]) -> str:
    """The fork whose own layer types come nearest to those of a build that BVLC does not have; empty for
    BVLC's own, and where less than a third agrees.
    """
    own = set(types) - set(LAYER_TYPES) - {"Python"}
    forks: dict[str, set[str]] = {}
    for key, fact in _table().items():
        if key.startswith("type="):
            for name in fact.names.split(", "):
                forks.setdefault(name, set()).add(key.removeprefix("type="))
    alike = {name: len(own & has) / len(own | has) for name, has in forks.items()}
    best = max(alike, key=lambda name: alike[name])
    return best if alike[best] > 1 / 3 else ""


def type_meant(layer_type: str, known: Collection[str]) -> str:
    """The hint for a layer type that is a known one but for capitals or one letter; else nothing."""
    for other in known:
        if abs(len(_plain(layer_type)) - len(_plain(other))) > 1:
            continue
        steps = distance(_plain(layer_type), _plain(other))
        if not steps or (steps == 1 and len(layer_type) >= 6 and _letters(layer_type) != _letters(other)):
            return f'did you mean "{other}"?'
    return ""


def judge(unknown: UnknownField) -> Judgement:
    """A known field of a fork, or one that resembles nothing, is a warning; a typing error is an error."""
    what = f"{unknown.name}: {unknown.value}" if unknown.value else unknown.name
    fact = fact_of(unknown)
    if fact is not None:
        where = f"'{what}' is of {fact.names}: BVLC caffe "
        if fact.harmless:
            return Judgement(f"{where}refuses it, the embedded engine ignores it", "", "warning")
        return Judgement(f"{where}and the embedded engine refuse it", _KEEP, "warning")
    message = refusal(unknown, None, "").message
    if hint := _meant(unknown):
        return Judgement(message, hint, "error")
    near = nearest(unknown.value or unknown.name, _known(unknown))
    hint = f"{near} Otherwise {_KEEP}" if near else _KEEP
    return Judgement(f"{message}: BVLC caffe and the embedded engine refuse it", hint, "warning")


def read_for_engine(path: str | Path, cls: type[M], notes: list[str]) -> M:
    """Read a prototxt file as the embedded engine does; notes gets a line for each field of a fork left out.

    Raises OSError, and PrototxtError for the first place that Caffe would refuse, except for fields of forks
    that change no result.
    """
    data = Path(path).read_bytes()
    try:
        return parse(data, cls, str(path))
    except PrototxtError:
        source, unknown = split_unknown(data, cls, str(path))
        if not unknown:
            raise
    refused = [_refused(one, str(path)) for one in unknown if not _harmless(one)]
    try:
        message = parse_known(source, unknown, cls, str(path))
    except PrototxtError as error:
        refused.append(error)
    if refused:
        raise min(refused, key=lambda error: (error.line, error.column))
    for one in unknown:
        fact = fact_of(one)
        names = fact.names if fact else ""
        text = " ".join(one.text.split())
        notes.append(f"Ignoring '{text}' of {names}, which changes no result here: {path}:{one.line}")
    return message


def _harmless(unknown: UnknownField) -> bool:
    fact = fact_of(unknown)
    return fact is not None and fact.harmless


def _refused(unknown: UnknownField, path: str) -> PrototxtError:
    fact = fact_of(unknown)
    if fact is None:
        hint = _meant(unknown) or "Caffe 1.0 has no such field; a fork may"
    else:
        hint = (
            f"{unknown.value or unknown.name} is of {fact.names} and changes the result: "
            "train with that caffe, or take it out"
        )
    return refusal(unknown, path, hint)


@cache
def _table() -> dict[str, ForkFact]:
    table = {}
    for line in _TABLE.read_text("utf-8").splitlines():
        if not line.startswith("#"):
            key, names, *effect = line.split("\t")
            table[key] = ForkFact(names, effect == ["harmless"])
    return table


def _meant(unknown: UnknownField) -> str:
    """The hint for a name that is known but for a slip or that stands in the wrong block; else nothing."""
    if unknown.value is not None:
        return _slip(unknown.value, _known(unknown))
    return _slip(unknown.name, _known(unknown)) or _misplaced(unknown, _messages()[unknown.message])


def _known(unknown: UnknownField) -> list[str]:
    """The names that could have stood in its place: of fields, or of values."""
    fields = _messages()[unknown.message].fields_by_name
    if unknown.value is None:
        return list(fields)
    enum = fields[unknown.name].enum_type
    return [value.name for value in enum.values] if enum else []


def _slip(name: str, known: list[str]) -> str:
    """The hint for a name that is a few keystrokes from a known one; other digits are no slip."""
    alike = (other for other in known if abs(len(_plain(name)) - len(_plain(other))) <= 2)
    steps, other = min(((distance(_plain(name), _plain(one)), one) for one in alike), default=(9, ""))
    short = min(len(name), len(other))
    if steps > (2 if short >= 6 else 1 if short >= 3 else 0):
        return ""
    if name != other and _letters(name) == _letters(other):
        return ""
    return f'did you mean "{other}"?'


def _letters(name: str) -> str:
    return re.sub(r"\d", "", name)


def _plain(name: str) -> str:
    return name.lower().replace("_", "")


def distance(a: str, b: str) -> int:
    """Letters to put in, take out, change or swap with the next one to make b of a."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, letter in enumerate(a, 1):
        above, row = row, [i]
        for j, other in enumerate(b, 1):
            steps = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == b[j - 2] and a[i - 2] == other:
                steps = min(steps, before[j - 2] + 1)
            row.append(steps)
        before = above
    return row[-1]


def _misplaced(unknown: UnknownField, block: Descriptor) -> str:
    """The hint for a field of the block around this one, of a block within it, or of the old layer format."""
    inner = [
        f"{field.name} {{ ... }}"
        for field in block.fields
        if field.message_type is not None and unknown.name in field.message_type.fields_by_name
    ]
    if inner:
        return "it belongs into " + " or ".join(inner[:3])
    outer = [
        message.name
        for message in _messages().values()
        if unknown.name in message.fields_by_name
        and any(field.message_type is not None and field.message_type.name == block.name
                for field in message.fields)
    ]  # fmt: skip
    if outer:
        return f"it belongs outside of this block, into the one around it ({outer[0]})"
    if block.name == "LayerParameter" and unknown.name in V1LayerParameter.DESCRIPTOR.fields_by_name:
        return "it is of the old form of layers: write param { lr_mult: ... decay_mult: ... }"
    return ""


@cache
def _messages() -> dict[str, Descriptor]:
    """Every message that a prototxt may hold, by its name."""
    found: dict[str, Descriptor] = {}
    waiting: list[Descriptor] = [cls.DESCRIPTOR for cls in (SolverParameter, NetParameter, LayerParameter)]
    while waiting:
        message = waiting.pop()
        if message.name not in found:
            found[message.name] = message
            waiting += [field.message_type for field in message.fields if field.message_type is not None]
    return found
