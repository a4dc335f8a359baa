"""Recurrent layers where the recorded runs do not reach: the single step, and what is refused."""

from __future__ import annotations

import pytest
import torch

from barista_engine.errors import CheckFailed

from .test_layers import layer
from .test_net import blob, build

LSTM = "recurrent_param { num_output: 3 weight_filler { type: 'xavier' } }"
EXPOSED = "recurrent_param { num_output: 3 expose_hidden: true }"
SEQUENCE = blob("x", 4, 2, 5) + blob("cont", 4, 2)


@pytest.mark.parametrize("cont", [[[0.0, 0], [1, 1], [1, 0], [1, 1]], [[0.0, 1], [1, 1], [1, 1], [1, 1]]])
def test_steps_of_a_unit_make_an_lstm(cont: list[list[float]]) -> None:
    net = build(SEQUENCE + layer("LSTM", LSTM, ("x", "cont")))
    unit = build(
        blob("c", 1, 2, 3) + blob("gates", 1, 2, 12) + blob("k", 1, 2)
        + layer("LSTMUnit", "", ("c", "gates", "k"), ("after", "h"))
    )  # fmt: skip
    x, keep = torch.randn(4, 2, 5), torch.tensor(cont)
    net.set_input("x", x)
    net.set_input("cont", keep)
    net.forward()
    w_x, bias, w_h = (param() for param in net.layers[-1].params)
    hidden = cell = torch.zeros(2, 3)
    for step in range(4):
        unit.set_input("c", cell.unsqueeze(0))
        unit.set_input(
            "gates", (x[step] @ w_x.T + bias + (hidden * keep[step].unsqueeze(1)) @ w_h.T).unsqueeze(0)
        )
        unit.set_input("k", keep[step].unsqueeze(0))
        unit.forward()
        cell, hidden = unit.blobs["after"][0], unit.blobs["h"][0]
        torch.testing.assert_close(net.blobs["y"][step], hidden)


def test_both_ways_through_an_lstm_have_one_gradient() -> None:
    """Streams that go on take torch's own LSTM; a cont that is not quite 1 takes the steps one by one."""
    net = build(SEQUENCE + layer("LSTM", LSTM, ("x", "cont")))
    x = torch.randn(4, 2, 5)
    net.set_input("x", x)
    found = []
    for cont in (1.0, 1.0 + 1e-6):
        net.set_input("cont", torch.cat([torch.zeros(1, 2), torch.full((3, 2), cont)]))
        net.forward()
        found.append(
            torch.autograd.grad(net.blobs["y"].square().sum(), [p.value for p in net.layers[-1].params])
        )
    for mine, other in zip(*found, strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-5)


def test_the_state_goes_on_to_the_next_batch() -> None:
    """Two batches of two steps are one of four, as long as `cont` says that the streams go on."""
    whole, halves = (
        build(blob("x", steps, 2, 5) + blob("cont", steps, 2) + layer("LSTM", LSTM, ("x", "cont")))
        for steps in (4, 2)
    )
    halves.share_weights(whole)
    x = torch.randn(4, 2, 5)
    whole.set_input("x", x)
    whole.set_input("cont", torch.ones(4, 2))
    whole.forward()
    halves.set_input("cont", torch.ones(2, 2))
    for part in range(2):
        halves.set_input("x", x[2 * part : 2 * part + 2])
        halves.forward()
        torch.testing.assert_close(halves.blobs["y"], whole.blobs["y"][2 * part : 2 * part + 2])


@pytest.mark.parametrize(
    ("net", "says"),
    [
        (blob("x", 4) + blob("cont", 4, 2) + layer("RNN", LSTM, ("x", "cont")), "at least 2 axes"),
        (blob("x", 4, 2, 5) + blob("cont", 4, 3) + layer("RNN", LSTM, ("x", "cont")), "(2 vs. 3)"),
        (SEQUENCE + layer("LSTM", "", ("x", "cont")), "num_output must be positive"),
        (SEQUENCE + layer("LSTM", LSTM, ("x", "cont"), ("y", "h", "c")), "produces 1 top blob(s)"),
        (SEQUENCE + layer("LSTM", EXPOSED, ("x", "cont")), "takes 4 or 5"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(net: str, says: str) -> None:
    with pytest.raises(CheckFailed) as refused:
        build(net)
    assert says in refused.value.message
