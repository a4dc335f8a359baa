"""Recurrent layers: time runs along the first axis, and the state goes on from one batch to the next.

`cont` (steps, streams) is 0 where a stream begins anew: there the state before is forgotten.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from barista_engine.errors import CheckFailed, check_equal
from barista_engine.fillers import fill
from barista_engine.layers.registry import Built, Context, layer, shape_string
from barista_engine.params import Param
from barista_server.caffe.schema import FillerParameter

State = tuple[torch.Tensor, ...]
"""What goes on from step to step, each (streams, outputs): (hidden,) or (hidden, cell)."""

Bottoms = Sequence[torch.Tensor]
"""The input of all steps and, where there is one, the static input."""


@dataclass(frozen=True, slots=True)
class _Sizes:
    steps: int
    streams: int
    outputs: int
    static: bool
    """Whether a bottom is added to the input of every step."""
    exposed: bool
    """Whether the state before comes from bottoms and the state after goes to tops."""


_NOT_TO_MARKERS = "Check failed: !propagate_down[{index}] Cannot backpropagate to sequence indicators."


@layer(
    "LSTM",
    bottoms=(2, 5),
    tops=(1, 3),
    labels=(1,),
    undifferentiable={1: _NOT_TO_MARKERS.format(index=1)},
    heedless=True,
)
def lstm(ctx: Context) -> Built:
    """Long short-term memory; gates in the order input, forget, output, candidate.

    Blobs: (4 n, inputs), (4 n), [(4 n, static inputs)], (4 n, n).
    """
    sizes, n = _sizes(ctx, states=2), ctx.spec.recurrent_param.num_output
    project = _projection(ctx, sizes, 4 * n, "c")
    weight, bias = ctx.params[:2]
    recurrent = _weight(ctx, "W_hc", (4 * n, n))
    _fill_in_vain(ctx, sizes.steps, ((4 * n, n), ctx.spec.recurrent_param.weight_filler))

    def whole(x: torch.Tensor, keep: torch.Tensor, state: State) -> tuple[torch.Tensor, State]:
        """By torch's own LSTM, several times faster, whose gates come in another order."""
        order = (slice(2 * n), slice(3 * n, None), slice(2 * n, 3 * n))
        w_x, w_h, b = (torch.cat([blob[part] for part in order]) for blob in (weight(), recurrent(), bias()))
        begin = [(blob * keep).unsqueeze(0) for blob in state]
        blobs = [w_x, w_h, b, torch.zeros_like(b)]
        tops, hidden, cell = torch.lstm(
            x.flatten(2), begin, blobs, True, 1, 0.0, torch.is_grad_enabled(), False, False
        )
        return tops, (hidden[0], cell[0])

    def run(bottoms: Bottoms, cont: torch.Tensor, state: State) -> tuple[torch.Tensor, State]:
        keeps = cont.unsqueeze(-1).unbind()
        if not sizes.static and bool((cont[1:] == 1).all()):
            return whole(bottoms[0], keeps[0], state)
        transposed = recurrent().t()
        hidden, cell = state
        tops = []
        for gates, keep in zip(project(bottoms).unbind(), keeps, strict=True):
            gates = torch.addmm(gates, hidden * keep, transposed)
            cell, hidden = _unit(gates, cell * keep)
            tops.append(hidden)
        return torch.stack(tops), (hidden, cell)

    return _built(ctx, sizes, run, states=2)


@layer(
    "RNN",
    bottoms=(2, 4),
    tops=(1, 2),
    labels=(1,),
    undifferentiable={1: _NOT_TO_MARKERS.format(index=1)},
    heedless=True,
)
def rnn(ctx: Context) -> Built:
    """h = tanh(W_hh h + W_xh x + b_h), o = tanh(W_ho h + b_o).

    Blobs: (n, inputs), (n), [(n, static inputs)], (n, n), (n, n), (n).
    """
    sizes = _sizes(ctx, states=1)
    n, p = sizes.outputs, ctx.spec.recurrent_param
    project = _projection(ctx, sizes, n, "h")
    recurrent, out = _weight(ctx, "W_hh", (n, n)), _weight(ctx, "W_ho", (n, n))
    bias = _blob(ctx, "b_o", (n,), p.bias_filler)
    square = (n, n), p.weight_filler
    _fill_in_vain(ctx, sizes.steps, square, square, ((n,), p.bias_filler))

    def run(bottoms: Bottoms, cont: torch.Tensor, state: State) -> tuple[torch.Tensor, State]:
        weight = recurrent().t()
        (hidden,) = state
        steps = []
        for step, keep in zip(project(bottoms).unbind(), cont.unsqueeze(-1).unbind(), strict=True):
            hidden = torch.addmm(step, hidden * keep, weight).tanh()
            steps.append(hidden)
        return torch.tanh(F.linear(torch.stack(steps), out(), bias())), (hidden,)

    return _built(ctx, sizes, run, states=1)


@layer("LSTMUnit", bottoms=3, tops=2, labels=(2,), undifferentiable={2: _NOT_TO_MARKERS.format(index=2)})
def lstm_unit(ctx: Context) -> Built:
    """One step: cell (1, streams, n), gates (1, streams, 4 n), cont (1, streams) to cell and hidden state."""
    cell, gates, _ = ctx.bottoms
    for shape, axes in zip(ctx.bottoms, (3, 3, 2), strict=True):
        check_equal(f"{axes}", axes, "bottom[i]->num_axes()", len(shape), "", "lstm_unit_layer.cpp", 26)
        check_equal("1", 1, "bottom[i]->shape(0)", shape[0], "", "lstm_unit_layer.cpp", 30)
        check_equal("num_instances", cell[1], "bottom[i]->shape(1)", shape[1], "", "lstm_unit_layer.cpp", 31)
    names = "4 * hidden_dim_", "bottom[1]->shape(2)"
    check_equal(names[0], 4 * cell[2], names[1], gates[2], "", "lstm_unit_layer.cpp", 34)

    def forward(cell: torch.Tensor, gates: torch.Tensor, cont: torch.Tensor) -> State:
        return _unit(gates, cell * cont.detach().unsqueeze(-1))

    return ctx.like_bottom, forward


def _unit(gates: torch.Tensor, cell: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Cell and hidden state behind a step, from the gates before squashing and the cell it begins with."""
    n = cell.shape[-1]
    squashed, candidate = gates[..., : 3 * n].sigmoid(), gates[..., 3 * n :].tanh()
    take, keep, show = torch.split(squashed, n, -1)
    after = torch.addcmul(keep * cell, take, candidate)
    return after, show * after.tanh()


def _sizes(ctx: Context, states: int) -> _Sizes:
    """What the bottoms say; checks their number and shapes as Caffe does, and says what it found."""
    p, file = ctx.spec.recurrent_param, "recurrent_layer.cpp"
    x, cont = ctx.bottoms[:2]
    hidden = states if p.expose_hidden else 0
    _check_numbers(ctx, hidden)
    two = "bottom[0] must have at least 2 axes -- (#timesteps, #streams, ...)"
    ctx.check(len(x) >= 2, f"bottom[0]->num_axes() >= 2 ({len(x)} vs. 2)", two, 16)
    steps, streams = x[:2]
    said = f"Initializing recurrent layer: assuming input batch contains {steps} timesteps of {streams} "
    ctx.log.info("recurrent_layer.cpp:20", f"{said}independent streams.")
    two = "bottom[1] must have exactly 2 axes -- (#timesteps, #streams)"
    check_equal("bottom[1]->num_axes()", len(cont), "2", 2, two, file, 23)
    check_equal("T_", steps, "bottom[1]->shape(0)", cont[0], "", file, 25)
    check_equal("N_", streams, "bottom[1]->shape(1)", cont[1], "", file, 26)
    static = len(ctx.bottoms) > 2 + hidden
    if static:
        have = ctx.bottoms[2][0] if ctx.bottoms[2] else 0
        check_equal("N_", streams, "bottom[2]->shape(0)", have, "", file, 47)
        ctx.axis(1, bottom=2)
    ctx.check(
        p.num_output > 0, "num_output > 0 (0 vs. 0)", "num_output must be positive", 49 if states == 2 else 44
    )
    want = (1, streams, p.num_output)
    for index, shape in enumerate(ctx.bottoms[2 + static :]):
        message = f"shape mismatch - recur_input_blobs_[{index}]: {shape_string(want)} vs. bottom"
        message += f"[{2 + static + index}]: {shape_string(shape)}"
        if shape != want:
            relation = "Check failed: recur_input_blobs_[j]->shape() == bottom[i]->shape()"
            raise CheckFailed(f"{relation} {message}", file, 216)
    return _Sizes(steps, streams, p.num_output, static, p.expose_hidden)


def _check_numbers(ctx: Context, hidden: int) -> None:
    name, bottoms, tops = ctx.spec.type, len(ctx.bottoms), 1 + hidden
    ctx.check(
        2 + hidden <= bottoms <= 3 + hidden,
        f"MinBottomBlobs() <= bottom.size() ({2 + hidden} vs. {bottoms})",
        f"{name} Layer takes {2 + hidden} or {3 + hidden} bottom blobs as input.",
        351,
    )
    message = f"{name} Layer produces {tops} top blob(s) as output."
    check_equal("ExactNumTopBlobs()", tops, "top.size()", ctx.tops, message, "layer.hpp", 364)


def _projection(ctx: Context, sizes: _Sizes, width: int, letter: str) -> Callable[[Bottoms], torch.Tensor]:
    """Declares the blobs of the input; (x, [static]) -> (steps, streams, width), all steps at once."""
    inputs = math.prod(ctx.bottoms[0][ctx.axis(2) :])
    weight = _weight(ctx, f"W_x{letter}", (width, inputs))
    bias = _blob(ctx, f"b_{letter}", (width,), ctx.spec.recurrent_param.bias_filler)
    static: Param | None = None
    if sizes.static:
        static = _weight(ctx, f"W_x{letter}_static", (width, math.prod(ctx.bottoms[2][1:])))

    def project(bottoms: Bottoms) -> torch.Tensor:
        y = F.linear(bottoms[0].flatten(2), weight(), bias())
        return y if static is None else y + F.linear(bottoms[1].flatten(1), static())

    return project


def _weight(ctx: Context, name: str, shape: tuple[int, ...]) -> Param:
    return _blob(ctx, name, shape, ctx.spec.recurrent_param.weight_filler)


def _fill_in_vain(ctx: Context, steps: int, *shapes: tuple[tuple[int, ...], FillerParameter]) -> None:
    """Draw what Caffe draws for blobs of later steps, before it shares those of the first with them."""
    if ctx.given is not None:
        return
    for _ in range(steps - 1):
        for shape, filler in shapes:
            if filler.type != "constant":
                fill(filler, shape, ctx.stream)


def _blob(ctx: Context, name: str, shape: tuple[int, ...], filler: FillerParameter) -> Param:
    ctx.log.info("recurrent_layer.cpp:150", f"Adding parameter {len(ctx.params)}: {name}")
    return ctx.param(shape, filler)


def _built(
    ctx: Context,
    sizes: _Sizes,
    run: Callable[[Bottoms, torch.Tensor, State], tuple[torch.Tensor, State]],
    *,
    states: int,
) -> Built:
    """The forward pass around `run`: where the state comes from and where it goes.

    No gradient passes the ends of a batch, not even where the state is exposed.
    """
    zeros = torch.zeros(sizes.streams, sizes.outputs, device=ctx.device)
    kept: State = (zeros,) * states

    def forward(x: torch.Tensor, cont: torch.Tensor, *more: torch.Tensor) -> torch.Tensor | State:
        nonlocal kept
        static, given = more[: sizes.static], more[sizes.static :]
        before = tuple(blob.detach()[0] for blob in given) if sizes.exposed else kept
        top, after = run([x, *static], cont.detach(), before)
        kept = tuple(blob.detach() for blob in after)
        return (top, *[blob.unsqueeze(0) for blob in kept]) if sizes.exposed else top

    shape = (1, sizes.streams, sizes.outputs)
    tops = [(sizes.steps, sizes.streams, sizes.outputs)] + [shape] * (ctx.tops - 1)
    return tops, forward
