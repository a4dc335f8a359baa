"""Forms of a solver and of a layer: which fields there are, what they are set to, what they mean. Blocks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from barista_server.agent.errors import CallError
from barista_server.api import messages as m
from barista_server.caffe import fields
from barista_server.caffe.prototxt import nearest, scalar_text
from barista_server.caffe.schema import NetParameter, Phase, SolverParameter, V1LayerParameter
from barista_server.caffe.tokens import LayerPlace, field_lines, layer_places
from barista_server.caffe.tolerant import UnknownField, parse_tolerant
from barista_server.caffe.upgrade import v1_type

_KINDS: dict[int, m.FieldKind] = {
    FieldDescriptor.TYPE_BOOL: "bool",
    FieldDescriptor.TYPE_ENUM: "enum",
    FieldDescriptor.TYPE_STRING: "string",
    FieldDescriptor.TYPE_FLOAT: "float",
    FieldDescriptor.TYPE_DOUBLE: "float",
    FieldDescriptor.TYPE_MESSAGE: "block",
}
_FILLER = "FillerParameter"
LineOf = Callable[[str, int], int | None]


def solver_groups(text: str) -> tuple[str, list[m.FormGroup]]:
    """The solver's type and its form. Raises PrototxtError."""
    solver, unknown = parse_tolerant(text, SolverParameter)
    lines = field_lines(text)
    policy, kind = solver.lr_policy, solver.type

    def field(name: str, descriptor: FieldDescriptor) -> m.FormField:
        there = lines.get(name, [])
        return _field(
            solver,
            descriptor,
            name,
            there[0] if there else None,
            used=fields.solver_uses(name, policy, kind),
            open=name in fields.ONLY_TELLS and not (name == "max_iter" and policy == "poly"),
        )

    known = solver.DESCRIPTOR.fields_by_name
    groups = [
        m.FormGroup(title=title, fields=_offered(field(name, known[name]) for name in names))
        for title, names in fields.SOLVER_GROUPS
    ]
    blocks = [descriptor for descriptor, _ in solver.ListFields() if descriptor.message_type is not None]
    groups.append(m.FormGroup(title="Blocks", fields=[field(each.name, each) for each in blocks]))
    groups.append(_foreign(unknown))
    return kind, [group for group in groups if group.fields]


def layer_on(text: str, line: int) -> int:
    """Number of the layer whose block begins on the line, or before it. Raises CallError."""
    found = [number for number, place in enumerate(layer_places(text)) if place.line <= line]
    if not found:
        raise CallError("not-found", f"has no layer on line {line} of its net", "Look at it again.")
    return found[-1]


def layer_named(text: str, name: str) -> int:
    """Number of the layer of that name, or of that number. Raises CallError, PrototxtError."""
    if re.fullmatch(r"\[\d+\]", name):
        return int(name[1:-1])
    net = parse_tolerant(text, NetParameter)[0]
    found: list[str] = []
    places = []
    for number, place in enumerate(layer_places(text)):
        kind, _, index = place.path.rstrip("]").partition("[")
        layer: Any = getattr(net, kind)[int(index)]
        if layer.name == name:
            phases = [Phase.Name(rule.phase) for rule in layer.include if rule.HasField("phase")]
            found.append(f"[{number}]" + (f" ({phases[0]})" if phases else ""))
            places.append(number)
    if len(places) == 1:
        return places[0]
    if places:
        text = f"has {len(places)} layers '{name}' in its net"
        raise CallError("ambiguous", text, f"Name one by its number: {', '.join(found)}.")
    names = [*(layer.name for layer in net.layer), *(layer.name for layer in net.layers)]
    raise CallError("not-found", f"has no layer '{name}' in its net", nearest(name, names) or None)


def layer_groups(text: str, number: int) -> tuple[str, str, list[m.FormGroup]]:
    """Name, type and form of a layer, by its number in the file. Raises CallError, PrototxtError."""
    net, unknown = parse_tolerant(text, NetParameter)
    places = layer_places(text)
    if not 0 <= number < len(places):
        raise CallError("not-found", f"has no layer {number} in its net", f"It has {len(places)}.")
    place = places[number]
    name, _, index = place.path.rstrip("]").partition("[")
    layer: Any = getattr(net, name)[int(index)]
    own = [one for one in unknown if one.path.startswith(f"{place.path}.")]
    if name == "layers" and layer.HasField("layer"):
        raise CallError(
            "invalid",
            "is written as in 2013: such layers have no form",
            "Bring it up to date, with F9 in the editor or barista edit --renew, or edit the text.",
        )
    kind = v1_type(V1LayerParameter.LayerType.Name(layer.type)) if name == "layers" else layer.type
    builder = _Layer(layer, place, kind)
    groups = [*builder.groups(), _foreign(own)]
    return layer.name, kind, [group for group in groups if group.fields]


class _Layer:
    """Builds the form of one layer."""

    def __init__(self, layer: Message, place: LayerPlace, kind: str) -> None:
        self._layer = layer
        self._place = place
        self._kind = kind

    def groups(self) -> Iterator[m.FormGroup]:
        """The layer itself, when it is there, its settings, how it is learned."""
        known: Descriptor = self._layer.DESCRIPTOR  # type: ignore[assignment]
        plain = [each for each in known.fields if each.message_type is None]
        first = [each for each in plain if each.name in ("name", "type", "bottom", "top")]
        rest = [each for each in plain if each not in first]
        order = ["name", "type", "bottom", "top"]
        first.sort(key=lambda each: order.index(each.name))
        yield m.FormGroup(
            title="Layer",
            fields=_offered(self._of(self._layer, each, "", True) for each in [*first, *rest]),
        )
        for name in ("include", "exclude"):
            yield from self._rules(known.fields_by_name[name])
        wanted = fields.blocks_of(self._kind, known)
        there = [field.name for field, _ in self._layer.ListFields() if field.name.endswith("_param")]
        for name in dict.fromkeys([*wanted, *there]):
            yield from self._block(self._layer, known.fields_by_name[name], name, name, name in wanted)
        if "param" in known.fields_by_name and known.fields_by_name["param"].message_type is not None:
            yield from self._params(known.fields_by_name["param"])

    def _block(
        self, holder: Message, field: FieldDescriptor, title: str, path: str, used: bool
    ) -> Iterator[m.FormGroup]:
        """A block of settings, and those within it."""
        block = getattr(holder, field.name)
        inner = field.message_type
        assert inner is not None
        rows, more = [], []
        for each in inner.fields:
            where = f"{path}.{each.name}"
            if each.message_type is None:
                rows.append(self._of(block, each, path, used))
            elif each.message_type.name == _FILLER and not each.is_repeated:
                more.append(self._filler(getattr(block, each.name), each, where))
            elif each.message_type.name == "BlobShape":
                more.append(self._shapes(block, each, where))
            elif holds(block, each):
                rows.append(self._of(block, each, path, used))
        yield m.FormGroup(title=title, fields=_offered(rows))
        yield from more

    def _filler(self, block: Message, field: FieldDescriptor, path: str) -> m.FormGroup:
        kind = getattr(block, "type")  # noqa: B009
        inner = field.message_type.fields if field.message_type is not None else []
        rows = [self._of(block, each, path, fields.filler_uses(each.name, kind)) for each in inner]
        return m.FormGroup(title=field.name, fields=_offered(rows))

    def _shapes(self, block: Message, field: FieldDescriptor, path: str) -> m.FormGroup:
        """The shape, or as many as there are and at least one."""
        inner = field.message_type
        assert inner is not None
        dim = inner.fields_by_name["dim"]
        if not field.is_repeated:
            row = self._of(getattr(block, field.name), dim, path, True)
            return m.FormGroup(title=field.name, fields=[row])
        shapes = list(getattr(block, field.name)) or [None]
        rows = [self._of(shape, dim, f"{path}[{at}]", True) for at, shape in enumerate(shapes)]
        return m.FormGroup(title=field.name, fields=rows)

    def _params(self, field: FieldDescriptor) -> Iterator[m.FormGroup]:
        params = list(getattr(self._layer, "param"))  # noqa: B009
        names = list(fields.blobs_of(self._kind))
        inner = field.message_type
        assert inner is not None
        for at in range(max(len(params), len(names))):
            param = params[at] if at < len(params) else None
            rows = [self._of(param, each, f"param[{at}]", True) for each in inner.fields]
            called = f" ({names[at]})" if at < len(names) else ""
            yield m.FormGroup(title=f"param[{at}]{called}", fields=_offered(rows))

    def _rules(self, field: FieldDescriptor) -> Iterator[m.FormGroup]:
        """The rules there are; an include to be filled in where there is none."""
        rules = list(getattr(self._layer, field.name))
        inner = field.message_type
        assert inner is not None
        for at, rule in enumerate(rules or [None]):
            rows = [self._of(rule, each, f"{field.name}[{at}]", True) for each in inner.fields]
            if not rules:
                rows = [each for each in rows if field.name == "include" and each.name == "phase"]
            yield m.FormGroup(title=field.name if len(rules) < 2 else f"{field.name}[{at}]", fields=rows)

    def _of(self, block: Message | None, field: FieldDescriptor, path: str, used: bool) -> m.FormField:
        where = f"{path}.{field.name}" if path else field.name
        line = None
        if block is not None and holds(block, field):
            line = self._line(where)
        return _field(block, field, f"{self._place.path}.{where}", line, used=used, open=False)

    def _line(self, path: str) -> int | None:
        """Line of the field; of one in a repeated block, which are told apart by their order only."""
        plain, nth = path, 0
        for part in path.split("."):
            if part.endswith("]"):
                name, _, index = part[:-1].partition("[")
                plain, nth = plain.replace(part, name), int(index)
        lines = self._place.fields.get(plain, [])
        blocks = self._place.fields.get(plain.rpartition(".")[0], [])
        if nth and nth < len(blocks):
            lines = [line for line in lines if line >= blocks[nth]]
        return lines[0] if lines else None


def holds(message: Message, field: FieldDescriptor) -> bool:
    """Whether the field is set."""
    if field.is_repeated:
        return len(getattr(message, field.name)) > 0
    return message.HasField(field.name)


def _offered(rows: Iterable[m.FormField]) -> list[m.FormField]:
    """Those that are set, and those that may well be."""
    return [row for row in rows if row.values or (row.used and row.kind != "block")]


def _field(
    message: Message | None,
    field: FieldDescriptor,
    path: str,
    line: int | None,
    *,
    used: bool,
    open: bool,
) -> m.FormField:
    kind = _KINDS.get(field.type, "int")
    doc = fields.field_docs().get(fields.full_name(field), fields.FieldDoc())
    values: list[str] = []
    if message is not None and holds(message, field):
        value = getattr(message, field.name)
        values = [_shown(field, each) for each in (value if field.is_repeated else [value])]
    return m.FormField(
        path=path,
        name=field.name,
        kind=kind,
        repeated=field.is_repeated,
        values=values,
        default=fields.default_of(field),
        choices=list(fields.choices_of(field)),
        unit=doc.unit,
        about=doc.about,
        line=line,
        used=used and (bool(values) or not doc.rare),
        open=open,
    )


def _shown(field: FieldDescriptor, value: Any) -> str:
    if field.message_type is not None:
        return "{ … }"
    return str(value) if field.type == FieldDescriptor.TYPE_STRING else scalar_text(field, value)


def _foreign(unknown: Iterable[UnknownField]) -> m.FormGroup:
    """What only forks understand, as it is written."""
    rows = [
        m.FormField(
            path=one.path,
            name=one.name,
            kind="foreign",
            values=[" ".join(one.text.split())],
            about="Caffe 1.0 lacks this field; a fork may have it",
            line=one.line,
            open=False,
        )
        for one in unknown
    ]
    return m.FormGroup(title="Of forks", fields=rows)
