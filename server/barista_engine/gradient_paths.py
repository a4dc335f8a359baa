"""Where gradients go in a net that is wired up: where they stop, leak, or meet numbers written over."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch

from barista_engine.built import BuiltLayer
from barista_engine.errors import CheckFailed
from barista_engine.layers import Result, layer_type
from barista_engine.layers.registry import Forward, source_file
from barista_engine.layers.taught import Taught


def find_written_over(layers: Sequence[BuiltLayer], blobs: Mapping[str, torch.Tensor]) -> None:
    """Tell layers with a gradient of their own which of their blobs an in-place layer writes over.

    `blobs` will hold, by name, what the blobs are in the backward pass.
    """
    later: dict[str, str] = {}  # blob written over -> blob that has its numbers in the end
    for built in reversed(layers):
        in_place = bool(built.tops) and built.tops[0] in built.bottoms[:1]
        taught = built.forward
        if isinstance(taught, Taught):
            if built.tops[0] in later:
                taught.written_over("y", later[built.tops[0]], blobs)
            if built.bottoms[0] in later or (in_place and not taught.in_place):
                taught.written_over("x", later.get(built.bottoms[0], built.bottoms[0]), blobs)
        if in_place:
            later.setdefault(built.tops[0], built.tops[0])
        elif _shares_memory(built):
            later.update((built.bottoms[0], later[top]) for top in built.tops if top in later)


def _shares_memory(built: BuiltLayer) -> bool:
    """Whether top and bottom are one piece of memory in Caffe, so that writing over one changes the other."""
    one = len(built.bottoms) == len(built.tops) == 1
    return built.type in ("Flatten", "Reshape", "Split") or (one and built.type in ("Concat", "Slice"))


def refusal(layers: Sequence[BuiltLayer]) -> CheckFailed | None:
    """How Caffe ends in the backward pass where a bottom is to have a gradient that it has none for."""
    for built in reversed(layers):
        if not built.needs_backward:
            continue
        for index, message in layer_type(built.type).undifferentiable.items():
            if index < len(built.bottoms) and built.bottom_needs_backward[index]:
                where = f"layer '{built.name}', bottom '{built.bottoms[index]}'"
                return CheckFailed(message.format(type=built.type), source_file(built.type), detail=where)
    return None


def stop_gradients(layers: Sequence[BuiltLayer]) -> None:
    """Cut the graph at bottoms that need no gradient, so that autograd does no work for them.

    Some layers of Caffe write it all the same; it counts where a Split adds it to those of other layers.
    """
    makers: dict[str, BuiltLayer] = {}
    for built in layers:
        wanted = list(built.bottom_needs_backward)
        kind = layer_type(built.type)
        if kind.heedless and built.needs_backward:
            wanted = [
                needs or (makers[bottom].needs_backward and i not in kind.labels)
                for i, (bottom, needs) in enumerate(zip(built.bottoms, wanted, strict=True))
            ]
        if not all(wanted):
            built.forward = _detached(built.forward, wanted)
        makers.update(dict.fromkeys(built.tops, built))


def _detached(forward: Callable[..., Result], needs: Sequence[bool]) -> Forward:
    def cut(*bottoms: torch.Tensor) -> Result:
        return forward(*[x if need else x.detach() for x, need in zip(bottoms, needs, strict=True)])

    return cut
