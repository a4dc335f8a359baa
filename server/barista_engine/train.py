"""Caffe's training loop: the order of its steps and of its log lines."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor

from barista_engine import snapshot
from barista_engine.data import DataSources
from barista_engine.errors import CheckFailed
from barista_engine.glog import Glog, number
from barista_engine.lr import advance_step, learning_rate
from barista_engine.net import Net
from barista_engine.ranks import Ranks
from barista_engine.readers import log_upgrade, solver_test_nets, solver_train_net, train_net_place
from barista_engine.rng import Stream, open_stream
from barista_engine.signals import Action
from barista_engine.solvers import Updater, check_type
from barista_server.caffe.prototxt import to_text
from barista_server.caffe.schema import TEST, SolverParameter
from barista_server.caffe.solver import NetSource, SolverError, check_average_loss


class SmoothedLoss:
    """The loss of iteration lines: a running mean over the last `size` losses, updated in place as in Caffe.

    The sum drifts by rounding, and one nan stays in it for ever. A loss is a 0-dim tensor on its device.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._losses: list[Tensor] = []
        self.value: Tensor = torch.zeros(())

    def add(self, loss: Tensor, position: int) -> None:
        """Take in the loss of iteration `position`, counted from the start of the window."""
        filled = len(self._losses)
        if filled < self._size:
            self._losses.append(loss)
            self.value = (self.value.to(loss.device) * filled + loss) / (filled + 1)
        else:
            index = position % self._size
            self.value = self.value + (loss - self._losses[index]) / self._size
            self._losses[index] = loss


class Solver:
    """A solver with its nets, as `caffe train` runs it. Everything it tells goes to `log`.

    `iteration` is the number of updates made so far, `current_step` the learning rate policy's counter,
    `seed` what the random numbers began with.
    """

    def __init__(
        self,
        param: SolverParameter,
        *,
        device: torch.device,
        log: Glog,
        requested: Callable[[], Action] = lambda: Action.NONE,
        ranks: Ranks | None = None,
    ) -> None:
        """Builds the nets and loads `param.weights`. `param` is brought up to date; `requested` is polled.

        With `ranks`, this is one of the solvers that train together; all of them have the same settings
        for the training net, for `display` and for the update rule.
        Raises CheckFailed for everything Caffe would refuse.
        """
        check_type(param)
        log.info("solver.cpp:45", f"Initializing solver from parameters: \n{to_text(param)}")
        try:
            check_average_loss(param)
        except SolverError as error:
            raise CheckFailed(str(error), "solver.cpp", 48) from None
        snapshot.check_writable(param)
        self.param = param
        self.iteration = 0
        self._log = log
        self._requested = requested
        self._stopping = False
        self.current_step = 0
        self._ranks = ranks or Ranks()
        self.device, self._stream = device, open_stream(param.random_seed)
        self.seed = self._stream.seed
        if self._ranks.rank:
            self._stream = Stream(self.seed + self._ranks.rank)
        self._sources = DataSources(log, self._stream, self._ranks)
        self.net = self._build(solver_train_net(param, log))
        tests = solver_test_nets(param, log)
        for source in tests:
            log_upgrade(source.notes, log)
        self.test_nets = [self._build(source) for source in tests]
        for net in self.test_nets:
            net.debug_info = param.debug_info
        self._smoothed = SmoothedLoss(param.average_loss)
        log.info("solver.cpp:57", "Solver scaffolding done.")
        self.updater = Updater(param, self.net.learnable, log)

    def _build(self, source: NetSource) -> Net:
        test = source.param.state.phase == TEST
        self._log.info("solver.cpp:190" if test else train_net_place(source.origin), source.log_line)
        if not test:
            log_upgrade(source.notes, self._log)
        net = Net(
            source.param,
            device=self.device,
            stream=self._stream,
            log=self._log,
            sources=self._sources,
        )
        for names in self.param.weights:
            for name in names.split(","):
                self._log.info("solver.cpp:72", f"Finetuning from {name.strip()}")
                snapshot.load_weights(net, name.strip(), self._log)
        return net

    def close(self) -> None:
        """End the prefetch threads."""
        self._sources.close()

    def restore(self, path: str) -> None:
        """Go on from a solver state and the weights it names. Raises CheckFailed."""
        self.iteration, self.current_step = snapshot.restore(path, self.net, self.updater, self._log)

    def state(self) -> list[Tensor]:
        """What a solver has learned, on its device: weights, statistics, history."""
        return [*(param.value for param in self.net.learnable), *self.updater.history]

    def solve(self) -> None:
        """Train to max_iter or until told to stop, with snapshots, tests and the closing lines."""
        param, log = self.param, self._log
        log.info("solver.cpp:289", f"Solving {self.net.name}")
        log.info("solver.cpp:290", f"Learning Rate Policy: {param.lr_policy}")
        self._stopping = False
        start = self.iteration
        self.step(param.max_iter - self.iteration)
        if param.snapshot_after_train and (not param.snapshot or self.iteration % param.snapshot):
            self.snapshot()
        if self._stopping:
            log.info("solver.cpp:311", "Optimization stopped early.")
            return
        if self._due(param.display):
            with torch.no_grad():
                loss = self.net.forward()
            self._smoothed.add(loss, self.iteration - start)
            [[shown]] = self._ranks.mean([[self._smoothed.value.item()]])
            log.info("solver.cpp:327", f"Iteration {self.iteration}, loss = {number(shown)}")
        if self._due(param.test_interval):
            self._test_all()
        log.info("solver.cpp:332", "Optimization Done.")

    def step(self, iterations: int) -> None:
        """Make `iterations` updates, fewer when told to stop; tests, lines, snapshots as they fall due."""
        param = self.param
        start = self.iteration
        self._smoothed = SmoothedLoss(param.average_loss)
        shown_at, shown_time = start, time.monotonic()
        while True:
            more = self.iteration < start + iterations and not self._stopping
            if more and self._due(param.test_interval) and (self.iteration > 0 or param.test_initialization):
                self._test_all()
            self._stopping = self._ranks.agree(self._stopping)
            if self._stopping or not more:
                break
            self.net.debug_info = param.debug_info and self._due(param.display)
            self._smoothed.add(self._forward_backward(), self.iteration - start)
            if self._due(param.display):
                now = time.monotonic()
                self._display(self.iteration - shown_at, now - shown_time)
                shown_at, shown_time = self.iteration, now
            self._update()
            request = self._requested()
            if self._due(param.snapshot) or request is Action.SNAPSHOT:
                self.snapshot()
            if request is Action.STOP:
                self._stopping = True

    def snapshot(self) -> None:
        """Write weights and solver state of this iteration, as the solver's prefix and format say."""
        snapshot.write(self.param, self.iteration, self.current_step, self.net, self.updater, self._log)

    def _due(self, interval: int) -> bool:
        return interval != 0 and self.iteration % interval == 0

    def _forward_backward(self) -> Tensor:
        """Accumulate gradients over iter_size passes; the mean loss as a 0-dim tensor."""
        self.updater.clear_gradients()
        total = torch.zeros((), device=self.device)
        for _ in range(self.param.iter_size):
            total = total + self.net.forward().detach()
            self.net.backward()
        return total if self.param.iter_size == 1 else total / self.param.iter_size

    def _display(self, iterations: int, seconds: float) -> None:
        rate = iterations / seconds if seconds else 0.0
        outputs = self.net.output_values()
        means = self._ranks.mean(
            [[self._smoothed.value.item()], *[values.tolist() for _, values, _ in outputs]]
        )
        self._log.info(
            "solver.cpp:239",
            f"Iteration {self.iteration} "
            f"({number(rate)} iter/s, {number(seconds)}s/{self.param.display} iters), "
            f"loss = {number(means[0][0])}",
        )
        index = 0
        for (name, _, weight), values in zip(outputs, means[1:], strict=True):
            for value in values:
                line = (
                    f"    Train net output #{index}: {name} = {number(value)}{_contribution(value, weight)}"
                )
                self._log.info("solver.cpp:258", line)
                index += 1

    def _update(self) -> None:
        step = advance_step(self.param, self.iteration, self.current_step)
        if self.param.lr_policy == "multistep" and step > self.current_step:
            message = f"MultiStep Status: Iteration {self.iteration}, step = {step}"
            self._log.info("sgd_solver.cpp:50", message)
        self.current_step = step
        rate = learning_rate(self.param, self.iteration, step)
        if self._due(self.param.display):
            self._log.info("sgd_solver.cpp:112", f"Iteration {self.iteration}, lr = {number(rate)}")
        self._ranks.average_gradients(self.net.learnable)
        self.updater.apply(rate, self.iteration)
        self.iteration += 1

    def _test_all(self) -> None:
        for index, net in enumerate(self.test_nets):
            if self._stopping:
                return
            self._test(index, net)

    def _test(self, index: int, net: Net) -> None:
        self._log.info("solver.cpp:347", f"Iteration {self.iteration}, Testing net (#{index})")
        net.share_weights(self.net)
        batches = self.param.test_iter[index]
        sums: list[tuple[str, Tensor, float]] = []
        loss = torch.zeros((), device=self.device)
        with torch.no_grad():
            for _ in range(batches):
                self._obey()
                if self._stopping:
                    self._log.info("solver.cpp:379", "Test interrupted.")
                    return
                loss = loss + net.forward()
                outputs = net.output_values()
                before = [total for _, total, _ in sums] or [
                    torch.zeros_like(values) for _, values, _ in outputs
                ]
                sums = [
                    (name, total + values, weight)
                    for total, (name, values, weight) in zip(before, outputs, strict=True)
                ]
        if self.param.test_compute_loss:
            self._log.info("solver.cpp:401", f"Test loss: {number(loss.item() / batches)}")
        self._log_test_outputs([(name, total / batches, weight) for name, total, weight in sums])

    def _obey(self) -> None:
        """Do what signals asked for while a test runs; a snapshot at once, a stop when the caller looks."""
        while (request := self._requested()) is not Action.NONE:
            if request is Action.SNAPSHOT:
                self.snapshot()
            else:
                self._stopping = True

    def _log_test_outputs(self, means: list[tuple[str, Tensor, float]]) -> None:
        index = 0
        for name, values, weight in means:
            for value in values.tolist():
                line = f"    Test net output #{index}: {name} = {number(value)}{_contribution(value, weight)}"
                self._log.info("solver.cpp:414", line)
                index += 1


def _contribution(value: float, weight: float) -> str:
    """The bracket behind an output that counts towards the loss."""
    return f" (* {number(weight)} = {number(weight * value)} loss)" if weight else ""
