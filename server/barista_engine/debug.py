"""The lines of `debug_info`: mean absolute values of blobs and of their gradients, layer by layer.

A gradient that autograd keeps for a tensor is the sum over all who use it. Caffe shows what each layer gives,
so a layer watched here works on aliases of its bottoms and parameters, which keep their own gradients.
"""

from __future__ import annotations

import torch

from barista_engine.built import BuiltLayer
from barista_engine.glog import number
from barista_engine.interfaces import Log
from barista_engine.layers import Result
from barista_engine.params import Param


class Watch:
    """Follows one forward and backward pass of a net, and logs as Caffe does."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._bottoms: list[tuple[BuiltLayer, list[torch.Tensor]]] = []
        self._uses: dict[int, list[torch.Tensor]] = {}
        """id of a layer's parameter -> its aliases."""

    def before(self, layer: BuiltLayer, bottoms: list[torch.Tensor]) -> list[torch.Tensor]:
        """The aliases that `layer` is to compute on."""
        aliases = [alias(x, needs) for x, needs in zip(bottoms, layer.bottom_needs_backward, strict=True)]
        self._bottoms.append((layer, aliases))
        for param in layer.params:
            param.uses = self._uses.setdefault(id(param), [])
        return aliases

    def after(self, layer: BuiltLayer, result: Result) -> None:
        """Log what the layer computed, and with which parameters."""
        tops = (result,) if isinstance(result, torch.Tensor) else result
        for name, top in zip(layer.tops, tops, strict=True):
            self._forward(593, layer, "top", name, top)
        for param in layer.params:
            param.uses = None
            self._forward(605, layer, "param", param.display_name, param())

    def backward_done(self, learnable: list[Param], before: dict[int, torch.Tensor]) -> None:
        """Log the gradients of the pass, last layer first; `before` has those of earlier passes by id."""
        sums = dict(before)
        for layer, bottoms in reversed(self._bottoms):
            if not layer.needs_backward:
                continue
            wanted = zip(layer.bottoms, bottoms, layer.bottom_needs_backward, strict=True)
            for name, bottom, needs in wanted:
                if needs:
                    self._backward(621, layer, "bottom", name, bottom.grad)
            for param in layer.params:
                owner = id(param.owner or param)
                for use in self._uses[id(param)]:
                    if use.grad is not None:
                        sums[owner] = sums[owner] + use.grad.view(sums[owner].shape)
                if param.propagates:
                    self._backward(632, layer, "param", str(param.index), sums[owner])
        self._log_norms(learnable)

    def _log_norms(self, learnable: list[Param]) -> None:
        norms: list[str] = []
        for order in (1, 2):
            pair = [
                torch.stack([torch.linalg.vector_norm(x.detach(), order) for x in tensors])
                if tensors
                else torch.zeros(1)
                for tensors in (
                    [param.value for param in learnable],
                    [param.value.grad for param in learnable if param.value.grad is not None],
                )
            ]
            whole = [number(torch.linalg.vector_norm(norm, order).item()) for norm in pair]
            norms.append(f"L{order} norm = ({', '.join(whole)})")
        self._log.error("net.cpp:721", f"    [Backward] All net params (data, diff): {'; '.join(norms)}")

    def _forward(self, line: int, layer: BuiltLayer, what: str, name: str, blob: torch.Tensor) -> None:
        text = f"    [Forward] Layer {layer.name}, {what} blob {name} data: {_mean(blob)}"
        self._log.info(f"net.cpp:{line}", text)

    def _backward(
        self, line: int, layer: BuiltLayer, what: str, name: str, diff: torch.Tensor | None
    ) -> None:
        text = f"    [Backward] Layer {layer.name}, {what} blob {name} diff: "
        self._log.info(f"net.cpp:{line}", text + ("0" if diff is None else _mean(diff)))


def alias(tensor: torch.Tensor, wanted: bool) -> torch.Tensor:
    """The same numbers as a tensor of its own, which keeps its gradient where there is one to come.

    Caffe computes a `wanted` one even if what lies below learns nothing from it.
    """
    if not torch.is_grad_enabled():
        return tensor
    if not tensor.requires_grad:
        return tensor.detach().requires_grad_() if wanted else tensor
    other = tensor.view_as(tensor)
    other.retain_grad()
    return other


def _mean(blob: torch.Tensor) -> str:
    """Mean absolute value; nan for a blob without elements, as 0 / 0 is."""
    return number(blob.detach().abs().mean().item())
