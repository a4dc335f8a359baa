"""Parameter blobs: the tensors a net learns, and how layers share them."""

from __future__ import annotations

import torch


class Param:
    """One parameter blob of one layer.

    `layer` and `index` say whose it is; `lr_mult` and `decay_mult` scale rate and weight decay. A blob that
    shares the tensor of an earlier one (same ``param { name }``) has that one as `owner` and is not in
    `Net.learnable`.
    `propagates` is false where the prototxt has lr_mult 0 for it. While `uses` is a list,
    every use of the blob is one of its own, noted there, with a gradient of its own.
    A blob with `lr_mult` 0 needs no gradient: its ``value.grad`` stays None, as where it leads to no loss.
    """

    __slots__ = (
        "_value",
        "decay_mult",
        "index",
        "layer",
        "lr_mult",
        "name",
        "owner",
        "propagates",
        "shape",
        "uses",
    )

    def __init__(self, value: torch.Tensor, layer: str, index: int) -> None:
        self._value = value
        self.shape = tuple(value.shape)
        self.layer = layer
        self.index = index
        self.lr_mult = 1.0
        self.decay_mult = 1.0
        self.name = ""
        self.owner: Param | None = None
        self.propagates = True
        self.uses: list[torch.Tensor] | None = None

    @property
    def value(self) -> torch.Tensor:
        """The leaf tensor that holds the numbers (the owner's, of the owner's shape, when shared)."""
        return self._value if self.owner is None else self.owner.value

    def __call__(self) -> torch.Tensor:
        """The blob in this layer's own shape, for use in its forward pass."""
        value = self.value if self.propagates else self.value.detach()
        if value.shape != self.shape:
            value = value.reshape(self.shape)
        if self.uses is not None and value.requires_grad and torch.is_grad_enabled():
            value = value.view_as(value)
            value.retain_grad()
            self.uses.append(value)
        return value

    @property
    def display_name(self) -> str:
        """The name given to share it by, or its number in the layer."""
        return self.name or str(self.index)

    def share_data(self, other: Param) -> None:
        """Use the memory of `other`, as a test net uses the train net's; gradients stay apart."""
        self.value.data = other.value.data
