"""The learning rate over the iterations, by the solver's policy, and how it is drawn. Pure.

The formulas are those of Caffe's ``SGDSolver::GetLearningRate``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from msgspec import Struct

from barista_server.api.messages import Form

LOG_FROM = 30.0
"""Ratio of the greatest rate to the least from which the drawing is logarithmic."""
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_NEEDS = {
    "fixed": (),
    "step": ("gamma", "stepsize"),
    "exp": ("gamma",),
    "inv": ("gamma", "power"),
    "multistep": ("gamma",),
    "poly": ("power", "max_iter"),
    "sigmoid": ("gamma", "stepsize"),
}


class Policy(Struct, frozen=True):
    """What the rate depends on."""

    name: str
    base: float
    gamma: float = 0.0
    power: float = 0.0
    stepsize: int = 0
    steps: tuple[int, ...] = ()
    max_iter: int = 0

    def rate(self, iteration: float) -> float:
        """The rate of an iteration; infinite where it overflows. Raises ValueError for an unknown policy."""
        try:
            return self.base * self._factor(iteration)
        except (OverflowError, ZeroDivisionError):
            return math.inf

    def _factor(self, iteration: float) -> float:
        match self.name:
            case "fixed":
                return 1.0
            case "step":
                return math.pow(self.gamma, iteration // self.stepsize)
            case "exp":
                return math.pow(self.gamma, iteration)
            case "inv":
                return math.pow(1 + self.gamma * iteration, -self.power)
            case "multistep":
                return math.pow(self.gamma, sum(iteration >= step for step in self.steps))
            case "poly":
                return math.pow(max(0.0, 1 - iteration / self.max_iter), self.power)
            case "sigmoid":
                exponent = -self.gamma * (iteration - self.stepsize)
                return 1 / (1 + math.exp(exponent)) if exponent < 700 else 0.0
        raise ValueError(self.name)


def policy_of(form: Form) -> Policy | str:
    """The policy that a solver's form sets; or why there is none, in words."""
    set_ = {field.name: field.values for group in form.groups for field in group.fields if field.values}
    name = _first(set_, "lr_policy")
    if name not in _NEEDS:
        return f"there is no policy '{name}'" if name else "lr_policy is not set"
    if "base_lr" not in set_:
        return "base_lr is not set"
    missing = [each for each in _NEEDS[name] if _number(set_, each) == 0 and each in ("stepsize", "max_iter")]
    if missing:
        return f"{missing[0]} is not set"
    return Policy(
        name,
        _number(set_, "base_lr"),
        _number(set_, "gamma"),
        _number(set_, "power"),
        int(_number(set_, "stepsize")),
        tuple(int(step) for step in set_.get("stepvalue", [])),
        int(_number(set_, "max_iter")),
    )


def _first(set_: Mapping[str, Sequence[str]], name: str) -> str:
    values = set_.get(name)
    return values[0] if values else ""


def _number(set_: Mapping[str, Sequence[str]], name: str) -> float:
    try:
        return float(_first(set_, name) or 0)
    except ValueError:
        return 0.0


def drawing(policy: Policy, width: int, height: int, now: int = 0) -> list[str]:
    """Lines of a small picture: rates at its left, the iterations below, ``▲`` where the training is."""
    end = policy.max_iter or 1000
    label = 9
    columns, rows = max(4, width - label), max(2, height - 2)
    values = [policy.rate(end * place / (2 * columns - 1)) for place in range(2 * columns)]
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return ["the rate is not finite"]
    low, high = min(finite), max(finite)
    log = low > 0 and high / low >= LOG_FROM
    if not log:
        low = min(0.0, low)
    lines = _braille(values, low, high, log, columns, rows)
    labels = {0: f"{high:.3g}", rows - 1: f"{low:.3g}"}
    drawn = [f"{labels.get(row, ''):>{label - 1}} {line}" for row, line in enumerate(lines)]
    left, right = "0", f"{end:,}"
    place = round((columns - 1) * min(now, end) / end)
    axis = left + " " * max(1, columns - len(left) - len(right)) + right
    if now:
        axis = axis[:place] + "▲" + axis[place + 1 :]
    title = f"learning rate{' (log)' if log else ''}: {policy.rate(now):.4g}"
    if now:
        title += f" at {now:,}"
    if len(title) > width:
        title = title.removeprefix("learning ")
    indent = max(0, min(label, width - len(title)))
    return [f"{'':>{indent}}{title}", *drawn, f"{'':>{label}}{axis}"][: rows + 2]


def _braille(
    values: Sequence[float], low: float, high: float, log: bool, columns: int, rows: int
) -> list[str]:
    """A line through the values, two of them in a column of cells."""
    cells = [[0] * columns for _ in range(rows)]
    height = rows * 4 - 1
    before: int | None = None
    for x, value in enumerate(values):
        if not math.isfinite(value):
            before = None
            continue
        y = round(height * (1 - _share(value, low, high, log)))
        first, last = (y, y) if before is None else sorted((y, before))
        for dot in range(first + (before is not None and first == before and first != last), last + 1):
            cells[dot // 4][x // 2] |= _DOTS[dot % 4][x % 2]
        before = y
    return ["".join(chr(0x2800 + cell) if cell else " " for cell in line) for line in cells]


def _share(value: float, low: float, high: float, log: bool) -> float:
    if high <= low:
        return 0.5
    if log:
        return math.log(value / low) / math.log(high / low)
    return (value - low) / (high - low)
