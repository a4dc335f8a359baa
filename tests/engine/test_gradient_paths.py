"""Gradients that come by other ways than autograd's: blobs written over, sharing layers, heedless ones."""

from __future__ import annotations

import pytest
import torch

from .test_layers import layer, run
from .test_net import blob, build

X = torch.tensor([[0.5, -1.0, 2.0]])
ADD_ONE = "bias_param { num_axes: 0 filler { value: 1 } }"


def gradient(text: str) -> torch.Tensor:
    """Of the sum of the blob `top` by x."""
    net = build("force_backward: true " + blob("x", 1, 3) + text)
    run(net, x=X)
    net.blobs["top"].sum().backward()  # type: ignore[no-untyped-call]
    grad = net.inputs["x"].grad
    assert grad is not None
    return grad


def named(name: str, kind: str, bottom: str, top: str, settings: str = "") -> str:
    return layer(kind, settings, (bottom,), (top,)).replace('"L"', f'"{name}"')


def test_a_sigmoid_written_over_has_the_slope_of_what_is_there_now() -> None:
    text = named("s", "Sigmoid", "x", "top") + named("b", "Bias", "top", "top", ADD_ONE)
    now = X.sigmoid() + 1
    torch.testing.assert_close(gradient(text), now * (1 - now))


@pytest.mark.parametrize("sharing", ["Flatten", "Reshape", "Concat", "Slice"])
def test_writing_over_reaches_through_layers_that_share_memory(sharing: str) -> None:
    shape = "reshape_param { shape { dim: 3 dim: -1 } }" if sharing == "Reshape" else ""
    text = named("s", "Sigmoid", "x", "y") + named("f", sharing, "y", "top", shape)
    now = X.sigmoid() + 1
    torch.testing.assert_close(gradient(text + named("b", "Bias", "top", "top", ADD_ONE)), now * (1 - now))
    torch.testing.assert_close(gradient(text), X.sigmoid() * (1 - X.sigmoid()))


def test_a_relu_before_a_normalisation_in_place_sees_the_normalised_signs() -> None:
    text = named("r", "ReLU", "x", "x") + named("b", "Bias", "x", "top", ADD_ONE)
    torch.testing.assert_close(gradient(text), torch.tensor([[1.0, 0.0, 1.0]]))
    net = build("force_backward: true " + blob("top", 1, 3) + named("r", "ReLU", "top", "top") + named(
        "b", "Bias", "top", "top", ADD_ONE
    ))  # fmt: skip
    run(net, top=X)
    net.blobs["top"].sum().backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(net.inputs["top"].grad, torch.ones(1, 3))


LEARNED = named("s", "Scale", "x", "u", "scale_param { num_axes: 0 }")


@pytest.mark.parametrize(("kind", "leaks"), [("Softmax", True), ("TanH", False)])
def test_some_layers_do_not_heed_propagate_down(kind: str, leaks: bool) -> None:
    """The second reader of u gives no gradient, but to the Split, which adds what it finds there."""
    text = (
        blob("x", 1, 3)
        + LEARNED
        + named("a", "Power", "u", "a", "power_param { scale: 0 } loss_weight: 1")
        + named("k", kind, "u", "k", "propagate_down: false")
        + named("w", "Scale", "k", "w", 'scale_param { axis: 0 num_axes: -1 filler { type: "uniform" } }')
        + named("r", "Reduction", "w", "r", "loss_weight: 1")
    )
    net = build(text)
    run(net, x=X)
    net.backward()
    (scale, _) = net.learnable
    grad = scale.value.grad
    assert (grad is not None and bool(grad)) == leaks


def test_a_layer_that_learns_nothing_adds_nothing_to_a_shared_weight() -> None:
    shared = 'param {{ name: "w" {} }} inner_product_param {{ num_output: 2 bias_term: false }}'
    text = (
        blob("x", 1, 3)
        + named("a", "InnerProduct", "x", "a", shared.format("lr_mult: 0") + " loss_weight: 1")
        + named("b", "InnerProduct", "x", "b", shared.format("") + " loss_weight: 10")
    )
    net = build(text)
    run(net, x=X)
    net.backward()
    (weight,) = net.learnable
    torch.testing.assert_close(weight.value.grad, 10 * X.expand(2, 3))
