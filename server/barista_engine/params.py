"""Parameter blobs: the tensors a net learns, and how layers share them."""

from __future__ import annotations

import torch


class Param:
    """One parameter blob of one layer.

    `layer` and `index` say whose it is; `lr_mult` and `decay_mult` scale rate and weight decay. A blob that
    shares the tensor of an earlier one (same ``param { name }``) has that one as `owner` and is not in
    `Net.learnable`.
    A blob with `lr_mult` 0 needs no gradient: its ``value.grad`` stays None, as where it leads to no loss.
    """

    __slots__ = ("_value", "decay_mult", "index", "layer", "lr_mult", "name", "owner", "shape")

    def __init__(self, value: torch.Tensor, layer: str, index: int) -> None:
        self._value = value
        self.shape = tuple(value.shape)
        self.layer = layer
        self.index = index
        self.lr_mult = 1.0
        self.decay_mult = 1.0
        self.name = ""
        self.owner: Param | None = None

    @property
    def value(self) -> torch.Tensor:
        """The leaf tensor that holds the numbers (the owner's, of the owner's shape, when shared)."""
        return self._value if self.owner is None else self.owner.value

    def __call__(self) -> torch.Tensor:
        """The blob in this layer's own shape, for use in its forward pass."""
        if self.owner is None:
            return self._value
        shared = self.owner.value
        return shared if self.shape == self.owner.shape else shared.reshape(self.shape)

    def share_data(self, other: Param) -> None:
        """Use the memory of `other`, as a test net uses the train net's; gradients stay apart."""
        self.value.data = other.value.data
