"""The net to be used of one that was trained: data in by Input layers, predictions out, no losses. Pure.

A deployed net computes, by the same layers under the same names, what the test net computes up to where its
losses begin; it takes the trained .caffemodel as it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from barista_server.caffe.blobshape import Shape, shape_text
from barista_server.caffe.deploy_graph import (
    Graph,
    Head,
    Heads,
    Top,
    find_heads,
    is_end,
    is_loss,
    is_source,
    learns,
    weight_of,
)
from barista_server.caffe.deploy_layers import bare_layer, free_name, input_layer, with_batch, without_loss
from barista_server.caffe.errors import NetError
from barista_server.caffe.net import layer_is_in
from barista_server.caffe.schema import TEST, TRAIN, LayerParameter, NetParameter, NetState
from barista_server.caffe.shapes import NetShapes, net_shapes
from barista_server.caffe.source_rules import Stored, unknown


class DeployError(ValueError):
    """Why there is no net to be used; ``hint`` says what to do."""

    def __init__(self, text: str, hint: str = "") -> None:
        super().__init__(text)
        self.hint = hint


@dataclass(frozen=True)
class Wish:
    """batch: items at a time, None: 1, or as in training where the net allows no other. outputs: blobs that
    are wanted, empty: what the losses are about. inputs: shapes of inputs, without the batch, by name.
    """

    batch: int | None = None
    outputs: tuple[str, ...] = ()
    inputs: Mapping[str, Shape] = field(default_factory=dict)


@dataclass(frozen=True)
class Given:
    """An input of the deployed net. index: in the net given, of the layer that brings it in training; part:
    it is one of the pieces that a Slice makes of ``of``.
    """

    name: str
    shape: Shape
    index: int
    of: str = ""

    @property
    def is_part(self) -> bool:
        """It is what a Slice makes of the data."""
        return bool(self.of)


@dataclass(frozen=True)
class Said:
    """An output. what: ``Softmax of ip2``, or the type of the layer that makes it."""

    name: str
    shape: Shape | None
    what: str


@dataclass
class Deployment:
    """net: to be used; kept: number in the net given of each of its layers, None for those that are new.

    reference: the trained test net up to its losses, with Inputs for its data; sample: the layers that
    brought these. notes: what is not in it, and why.
    """

    net: NetParameter
    kept: list[int | None]
    inputs: list[Given]
    outputs: list[Said]
    notes: list[str]
    reference: NetParameter
    sample: NetParameter
    params: dict[str, Sequence[Shape]] = field(default_factory=dict)
    """Shapes of the parameters by layer."""


def deployed(net: NetParameter, wish: Wish | None = None, stored: Stored = unknown) -> Deployment:
    """The net to be used, from an upgraded one with the state of its tests in it.

    stored tells what its data is like. Raises DeployError, NetError.
    """
    wish = wish or Wish()
    if wish.batch is not None:
        return _Deploying(net, wish, stored, wish.batch).result()
    try:
        return _Deploying(net, wish, stored, 1).result()
    except DeployError as error:
        try:
            found = _Deploying(net, wish, stored, None).result()
        except DeployError:
            raise error from None
        found.notes.append(f"the batch is that of the training: with 1 {error}")
        return found


def chosen_layers(net: NetParameter) -> list[tuple[int, LayerParameter]]:
    """Layers of the test net by number, and with them losses that are there in training only. Without rules.

    Stage ``deploy`` holds if any rule asks for it. Where there is no test net, for want of data or of
    anything that was learned, it is the training net that counts. Raises NetError.
    """
    stages = {stage for layer in net.layer for rule in layer.include for stage in rule.stage}
    states = []
    for phase in (TEST, TRAIN):
        state = NetState()
        state.CopyFrom(net.state)
        state.phase = phase
        if "deploy" in stages and "deploy" not in state.stage:
            state.stage.append("deploy")
        states.append(state)
    test, train = states
    if not _is_whole(net, test):
        test = train
    there: set[str] = set()
    found = []
    for number, layer in enumerate(net.layer):
        bare = LayerParameter()
        bare.CopyFrom(layer)
        bare.ClearField("include")
        bare.ClearField("exclude")
        if layer_is_in(layer, test, []):
            there.update(layer.top)
        elif is_loss(layer) and layer_is_in(layer, train, []) and layer.bottom[0] in there:
            known = [blob for blob in layer.bottom if blob in there]
            del bare.bottom[:]
            bare.bottom.extend(known)
        else:
            continue
        found.append((number, bare))
    return found


def _is_whole(net: NetParameter, state: NetState) -> bool:
    """A net in this state learns something, and all that its layers read is in it."""
    there: set[str] = set()
    learned = False
    for layer in net.layer:
        if layer_is_in(layer, state, []):
            if not there.issuperset(layer.bottom):
                return False
            there.update(layer.top)
            learned = learned or learns(layer)
    return learned


class _Deploying:
    """The steps from a trained net to one that is used. ``batch`` None: as it was."""

    def __init__(self, net: NetParameter, wish: Wish, stored: Stored, batch: int | None) -> None:
        self._wish = wish
        chosen = chosen_layers(net)
        self._numbers = [number for number, _ in chosen]
        self._name = net.name
        layers = [layer for _, layer in chosen]
        self.graph = Graph(layers)
        self.sources = [with_batch(layer, batch) if is_source(layer) else layer for layer in layers]
        self.found = self._heads()
        if not self.found.heads:
            raise DeployError(
                "nothing in this net is computed for somebody to use", "Has it any layer that learns?"
            )
        self.needed = self.graph.above(head.top for head in self.found.heads)
        self.shapes = self._shapes_of_data(stored, batch)
        self.notes: list[str] = []

    def _heads(self) -> Heads:
        if not self._wish.outputs:
            return find_heads(self.graph)
        tops = []
        usual = find_heads(self.graph, helpers_too=True).heads
        made = {blob: self.graph.layers[top[0]] for blob, top in self.graph.latest.items()}
        there = [blob for blob, layer in made.items() if not is_source(layer) and not is_end(layer)]
        for name in self._wish.outputs:
            if name not in there:
                raise DeployError(f"the test net makes no blob '{name}'", f"It makes: {', '.join(there)}.")
            tops.append(self.graph.latest[name])
        heads = [
            next((head for head in usual if head.top == top and head.activation), Head(top)) for top in tops
        ]
        return Heads(heads, [], [])

    # ------------------------------------------------------------------------------------------------ data

    def _constant(self, number: int) -> bool:
        """A DummyData that always gives the same, beside data of another kind: a part of the net."""
        layer = self.graph.layers[number]
        fillers = layer.dummy_data_param.data_filler
        return (
            layer.type == "DummyData"
            and all(filler.type == "constant" for filler in fillers)
            and any(is_source(other) and other.type != "DummyData" for other in self.graph.layers)
        )

    def _stays(self, number: int) -> bool:
        return not is_source(self.graph.layers[number]) or self._constant(number)

    def _shapes_of_data(self, stored: Stored, batch: int | None) -> dict[Top, Shape | None]:
        numbers = [number for number, layer in enumerate(self.graph.layers) if is_source(layer)]
        net = NetParameter(layer=[self.sources[number] for number in numbers])
        built = net_shapes(net, NetState(phase=TEST), stored).layers
        shapes: dict[Top, Shape | None] = {}
        for number, one in zip(numbers, built, strict=True):
            for position, blob in enumerate(self.graph.layers[number].top):
                known = one.tops[position] if position < len(one.tops) else None
                if blob in self._wish.inputs:
                    size = batch or (known[0] if known else 1)
                    known = (size, *self._wish.inputs[blob])
                shapes[number, position] = known
        return shapes

    def _data_needed(self) -> list[Top]:
        return sorted({top for number in self.needed for top in self.graph.reads[number]
                       if is_source(self.graph.layers[top[0]]) and not self._constant(top[0])})  # fmt: skip

    def _need_shapes(self, tops: Sequence[Top]) -> None:
        for top in tops:
            if self.shapes[top] is None:
                layer = self.graph.layers[top[0]]
                name = self.graph.name(top)
                text = f"the shape of input '{name}' is not known: layer '{layer.name}' ({layer.type}) reads"
                hint = f"Say it, without the batch: --input {name}=CxHxW"
                raise DeployError(f"{text} what is not there, or does not tell", hint)

    # ------------------------------------------------------------------------------------------- the nets

    def result(self) -> Deployment:
        """Raises DeployError."""
        data = self._data_needed()
        self._need_shapes(data)
        reference = self._reference(data)
        built = _built(reference)
        parts = self._parts(data)
        inputs = [self._given(top, built) for top in self._inputs(data, parts)]
        net, kept = self._net(inputs, parts)
        shapes = _built(net)
        self._check(shapes)
        return Deployment(
            net=net,
            kept=kept,
            inputs=inputs,
            outputs=[_said(net, name, shapes) for name in self._output_names(net)],
            notes=[*self._what_is_left_out(), *self.notes],
            reference=reference,
            sample=NetParameter(layer=[self.sources[number] for number in sorted({top[0] for top in data})]),
            params={one.name: one.params for one in shapes.layers if one.params},
        )

    def _reference(self, data: Sequence[Top]) -> NetParameter:
        net = NetParameter(name=f"{self._name} as trained")
        for top in data:
            blob = self.graph.name(top)
            net.layer.append(input_layer(blob, f"reference {blob}", self.shapes[top] or ()))
        for number in sorted(self.needed):
            if self._stays(number):
                net.layer.add().CopyFrom(without_loss(self.sources[number]))
        return net

    def _parts(self, data: Sequence[Top]) -> dict[int, list[Top]]:
        """Slices of data of which not all is used, by number, with what is used: these become the inputs."""
        found: dict[int, list[Top]] = {}
        for number in self.needed:
            layer = self.graph.layers[number]
            if layer.type != "Slice" or self.graph.reads[number][0] not in data:
                continue
            source = self.graph.reads[number][0]
            used = {top for other in self.needed for top in self.graph.reads[other] if top[0] == number}
            used |= {head.top for head in self.found.heads if head.top[0] == number}
            alone = all(other == number or other not in self.needed for other in self.graph.readers[source])
            if alone and len(used) < len(layer.top):
                found[number] = sorted(used)
        return found

    def _inputs(self, data: Sequence[Top], parts: Mapping[int, list[Top]]) -> list[Top]:
        sliced = {self.graph.reads[number][0]: number for number in parts}
        tops = [parts[sliced[top]] if top in sliced else [top] for top in data]
        return [top for group in tops for top in group]

    def _given(self, top: Top, built: NetShapes) -> Given:
        layer = self.graph.layers[top[0]]
        if is_source(layer):
            return Given(self.graph.name(top), self.shapes[top] or (), self._numbers[top[0]])
        source = self.graph.reads[top[0]][0]
        made = next(one for one in built.layers if one.name == layer.name)
        shape = made.tops[top[1]]
        if shape is None:
            raise DeployError(f"the shape of '{self.graph.name(top)}' is not known")
        return Given(self.graph.name(top), shape, self._numbers[source[0]], self.graph.name(source))

    def _net(
        self, inputs: Sequence[Given], parts: Mapping[int, object]
    ) -> tuple[NetParameter, list[int | None]]:
        net = NetParameter(name=self._name)
        kept: list[int | None] = []
        heads = {head.loss: head for head in self.found.heads if head.loss >= 0}
        stay = [number for number in sorted(self.needed)
                if number not in parts and self._stays(number)]  # fmt: skip
        taken = {self.graph.layers[number].name for number in stay}
        blobs = {blob for number in self.needed for blob in self.graph.layers[number].top}
        for one in inputs:
            net.layer.append(input_layer(one.name, free_name(one.name, taken), one.shape))
            kept.append(None)
        for number in sorted({*stay, *heads}):
            if number in heads:
                head, wanted = heads[number], "prob" if len(heads) == 1 else ""
                net.layer.append(self._head_layer(head, wanted, taken, blobs))
                kept.append(None)
            else:
                net.layer.append(bare_layer(self.sources[number]))
                kept.append(self._numbers[number])
        return net, kept

    def _head_layer(self, head: Head, name: str, taken: set[str], blobs: set[str]) -> LayerParameter:
        loss, bottom = self.graph.layers[head.loss], self.graph.name(head.top)
        if loss.type == "SoftmaxWithLoss" and len(loss.top) > 1:
            name = loss.top[1]
        name = free_name(name or f"{bottom}_prob", taken | blobs)
        taken.add(name)
        blobs.add(name)
        layer = LayerParameter(name=name, type=head.activation, bottom=[bottom], top=[name])
        if loss.type == "InfogainLoss" and loss.infogain_loss_param.axis != 1:
            layer.softmax_param.axis = loss.infogain_loss_param.axis
        elif loss.type == "SoftmaxWithLoss" and loss.softmax_param.HasField("axis"):
            layer.softmax_param.axis = loss.softmax_param.axis
        return layer

    @staticmethod
    def _check(shapes: NetShapes) -> None:
        wrong = next((one for one in shapes.problems if one.severity == "error"), None)
        if wrong is not None:
            raise DeployError(wrong.message, wrong.hint or "Another batch may do: --batch N")

    def _output_names(self, net: NetParameter) -> list[str]:
        made = {layer.bottom[0]: layer.top[0] for layer in net.layer if layer.type in ("Softmax", "Sigmoid")}
        names = []
        for head in self.found.heads:
            name = self.graph.name(head.top)
            names.append(made[name] if head.activation else name)
        return list(dict.fromkeys(names))

    def _what_is_left_out(self) -> list[str]:
        graph = self.graph
        notes = []
        for number in self.found.helpers:
            layer = graph.layers[number]
            why = f"weight {weight_of(layer):g}, less than another on the same labels"
            notes.append(
                f"loss '{layer.name}' only helps training ({why}): what leads to it alone is left out"
            )
        for twin, like in self.found.twins:
            notes.append(f"'{graph.name(twin)}' is left out: the same weights compute '{graph.name(like)}'")
        return notes


def _built(net: NetParameter) -> NetShapes:
    try:
        return net_shapes(net, NetState(phase=TEST))
    except NetError as error:
        raise DeployError(str(error), error.hint) from None


def _said(net: NetParameter, name: str, shapes: NetShapes) -> Said:
    layer = next(layer for layer in reversed(net.layer) if name in layer.top)
    built = next(one for one in shapes.layers if one.name == layer.name and one.type == layer.type)
    position = list(layer.top).index(name)
    named = layer.type in ("Softmax", "Sigmoid") and layer.bottom[0] != name
    what = f"{layer.type} of {layer.bottom[0]}" if named else layer.type
    return Said(name, built.tops[position] if position < len(built.tops) else None, what)


def shape_words(shape: Shape | None) -> str:
    """``1 x 3 x 227 x 227``."""
    return "unknown" if shape is None else " x ".join(map(str, shape)) or shape_text(())
