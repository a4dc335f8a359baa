"""The calls that deploy: nets to be used are made, checked by the embedded engine, and handed out.

Nothing is written on this machine: small files are kept until they are fetched, weights are read from the
session's folder. What is being made, or was made and not fetched, ends with the agent.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from barista_server.agent.builds.places import EMBEDDED
from barista_server.agent.caffes import Caffes
from barista_server.agent.errors import CallError
from barista_server.api import messages as m

if TYPE_CHECKING:
    from barista_server.agent.client import Client
    from barista_server.agent.datasets.service import Datasets
    from barista_server.agent.deployplan import Plan
    from barista_server.agent.exports import Exports
    from barista_server.agent.session import Session

MOST = 8
"""Deployments kept; of more the oldest goes."""
LONGEST = 900.0
"""Seconds that the check may take: torch is loaded, a large net reads its weights twice."""
CLOSE = 1e-4
"""Part of a blob's greatest value that sums in another order may differ by."""


class _Deploy:
    """One deployment on its way, or done."""

    def __init__(self, id: str, session: Session) -> None:
        self.id, self.session = id, session
        self.checking = False
        self.plan: Plan | None = None
        self.facts: m.DeployFacts | None = None
        self.task: asyncio.Task[None] | None = None

    def state(self) -> m.DeployState:
        """Raises the CallError that it ended with."""
        if self.task is not None and self.task.done():
            if self.task.cancelled():
                raise CallError("refused", "deploying it was cancelled")
            self.task.result()
        told = m.DeployState(deploy=self.id, session=self.session.id, step="making", facts=self.facts)
        if self.facts is not None:
            return msgspec.structs.replace(told, step="ready")
        return msgspec.structs.replace(told, step="checking") if self.checking else told


class Deploys:
    """Those of one agent."""

    def __init__(
        self, caffes: Caffes, find: Callable[[Any], Session], exports: Exports, datasets: Datasets
    ) -> None:
        self._caffes, self._find, self._exports, self._datasets = caffes, find, exports, datasets
        self._all: dict[str, _Deploy] = {}

    def calls(self) -> dict[type, Callable[[Any, Client], Awaitable[m.Result]]]:
        """Those that this class answers."""
        return {
            m.DeploySession: self._begin,
            m.GetDeploy: self._get,
            m.CancelDeploy: self._cancel,
            m.ExportDeploy: self._export,
        }

    async def _begin(self, call: m.DeploySession, client: Client) -> m.Result:
        session = self._find(call)
        if call.batch is not None and not 0 < call.batch <= 1 << 20:
            raise CallError("invalid", f"cannot be deployed with a batch of {call.batch}", "Take 1 or more.")
        if any(min(shape, default=0) < 1 for shape in call.inputs.values()):
            raise CallError("invalid", "cannot be deployed: sizes of inputs are numbers from 1 on")
        await session.look(settled=session.state not in (m.State.RUNNING, m.State.PAUSING))
        snapshot = _snapshot(session, call.iteration)
        roots = ["/"] if client.local else await self._datasets.roots()
        while len(self._all) >= MOST:
            await self._drop(next(iter(self._all)))
        deploy = _Deploy(secrets.token_hex(8), session)
        self._all[deploy.id] = deploy
        deploy.task = asyncio.create_task(self._make(deploy, snapshot, call, roots))
        # Told to whoever asks; if nobody does it is no mistake.
        deploy.task.add_done_callback(lambda task: task.cancelled() or task.exception())
        return deploy.state()

    async def _make(
        self, deploy: _Deploy, snapshot: m.Snapshot, call: m.DeploySession, roots: Sequence[str]
    ) -> None:
        session = deploy.session
        plan = await asyncio.to_thread(
            _plan, session.folder.path, session.meta.name, snapshot, call, list(roots)
        )
        check = m.DeployCheck(state="unchecked", why="it was not asked for")
        if call.check:
            deploy.checking = True
            check = await self._check(plan, session.folder.path)
        if check.state == "differs":
            text = f"computes something else when deployed: '{check.blob}' differs by {check.difference:.3g}"
            hint = (
                "Take the files of the time when the snapshot was taken; --no-check deploys it all the same."
            )
            raise CallError("invalid", text, hint)
        leaves = await asyncio.to_thread(plan.leaves, check)
        size = await asyncio.to_thread(
            lambda: sum(leaf.place.stat().st_size if leaf.place else len(leaf.content) for leaf in leaves)
        )
        deploy.plan, deploy.facts = plan, plan.facts(check, size)

    async def _check(self, plan: Plan, folder: Path) -> m.DeployCheck:
        """Run both nets with the embedded engine, whatever the session is trained with."""
        try:
            caffe = await asyncio.to_thread(self._caffes.get, EMBEDDED)
        except KeyError:
            caffe = m.CaffeInfo(name=EMBEDDED, argv=[], problem="there is none")
        if caffe.problem:
            return m.DeployCheck(
                state="unchecked", why="this host has no embedded engine to run the nets with"
            )
        with tempfile.TemporaryDirectory(prefix="barista-deploy-") as place:
            texts = {"model": plan.trained, "deploy": plan.net, "sample": plan.sample}
            flags = [f"--weights={plan.model}"]
            for name, text in texts.items():
                if text:
                    path = Path(place, f"{name}.prototxt")
                    await asyncio.to_thread(path.write_text, text, "utf-8", "surrogateescape")
                    flags.append(f"--{name}={path}")
            return await _compared([*caffe.argv, "compare", *flags], folder, Path(place, "log"))

    def _mine(self, id: str) -> _Deploy:
        found = self._all.get(id)
        if found is None:
            raise CallError("not-found", "this deployment is not there any more", "Deploy the session again.")
        return found

    async def _get(self, call: m.GetDeploy, client: Client) -> m.Result:
        deploy = self._mine(call.deploy)
        try:
            return deploy.state()
        except CallError as error:
            # The call names no session.
            raise CallError(error.code, f"{deploy.session.meta.name} {error.text}", error.hint) from None

    async def _cancel(self, call: m.CancelDeploy, client: Client) -> m.Result:
        await self._drop(call.deploy)
        return m.Done()

    async def _drop(self, id: str) -> None:
        deploy = self._all.pop(id, None)
        if deploy is not None and deploy.task is not None:
            deploy.task.cancel()
            await asyncio.wait([deploy.task])

    async def _export(self, call: m.ExportDeploy, client: Client) -> m.Result:
        deploy = self._mine(call.deploy)
        if deploy.plan is None or deploy.facts is None:
            raise CallError("refused", f"{deploy.session.meta.name} is not deployed yet")
        leaves = await asyncio.to_thread(deploy.plan.leaves, deploy.facts.check)
        return await self._exports.hand_out(client, leaves, deploy.plan.name, deploy.session)


def _plan(folder: Path, name: str, snapshot: m.Snapshot, call: m.DeploySession, roots: list[str]) -> Plan:
    # Imported here: an agent that is never asked saves the memory.
    from barista_server.agent.deployplan import make_plan

    return make_plan(folder, name, snapshot, call, roots)


def _snapshot(session: Session, iteration: int | None) -> m.Snapshot:
    """The verified one that is meant; of equal iterations the one written last. Raises CallError."""
    good = session.shelf.good
    if not good:
        raise CallError("not-found", "has no verified snapshot to deploy", "Take one: barista snapshot.")
    wanted = [one for one in good if iteration in (None, one.iteration)]
    if not wanted:
        there = ", ".join(str(one.iteration) for one in good)
        raise CallError("not-found", f"has no good snapshot of iteration {iteration}", f"There are: {there}.")
    return wanted[-1]


async def _compared(argv: Sequence[str], folder: Path, log: Path) -> m.DeployCheck:
    """What the engine says; ended with whoever waits for it."""
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            *argv,
            cwd=folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
        )
    try:
        async with asyncio.timeout(LONGEST):
            out, _ = await process.communicate()
    except TimeoutError:
        return m.DeployCheck(state="unchecked", why=f"running the nets took over {LONGEST:g} s")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        return m.DeployCheck(state="unchecked", why=f"the nets cannot be run here: {_reason(log)}")
    return verdict(json.loads(out))


def _reason(log: Path) -> str:
    """The message of the failed check that a log ends with."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - (64 << 10)))
        lines = file.read().decode(errors="replace").splitlines()
    failed = [line.partition("] ")[2] for line in lines if line.startswith("F") and "] " in line]
    return failed[-1].strip() if failed else (lines[-1].strip() if lines else "nothing was said")


def verdict(told: dict[str, Any]) -> m.DeployCheck:
    """Of what ``barista-caffe compare`` prints."""
    blobs: dict[str, dict[str, float]] = told["blobs"]
    if not blobs:
        return m.DeployCheck(state="unchecked", why="the nets have nothing in common that could be compared")

    def part(name: str) -> float:
        return blobs[name]["difference"] / max(1.0, blobs[name]["largest"])

    worst = max(blobs, key=part)
    return m.DeployCheck(
        state="same" if part(worst) <= CLOSE else "differs",
        sample=told["sample"],
        difference=blobs[worst]["difference"],
        largest=blobs[worst]["largest"],
        blob=worst,
        why=told["why"],
    )
