"""What the messages say of deploying: a net to be used, made of a session's trained one, and checked."""

from __future__ import annotations

from typing import Literal

from barista_server.api.things import Message


class DeployBlob(Message, frozen=True):
    """An input or output. ``what``: layer type, or ``Softmax of ip2``; of an input, what was done to it."""

    name: str
    shape: list[int]
    what: str = ""


class DeployCheck(Message, frozen=True):
    """Both nets run on one sample.

    ``sample``: data of the training, or random numbers where it could not be read (``why``). ``difference``:
    the greatest absolute one, in ``blob``, whose greatest value is ``largest``. Where ``state`` is
    ``unchecked``, ``why`` tells the reason.
    """

    state: Literal["same", "differs", "unchecked"]
    sample: Literal["data", "random", ""] = ""
    difference: float = 0.0
    largest: float = 0.0
    blob: str = ""
    why: str = ""


class DeployFacts(Message, frozen=True):
    """What was made. ``name``: for a folder; ``left_out``: what is not in it, and what else to know."""

    name: str
    iteration: int
    model: str
    """Name of the weights' file."""
    size: int
    """Bytes of all files."""
    inputs: list[DeployBlob]
    outputs: list[DeployBlob]
    left_out: list[str]
    check: DeployCheck


# ----------------------------------------------------------------------------------------------------- calls


class DeploySession(Message, frozen=True, tag="deploy-session"):
    """Make a net to be used, of the newest verified snapshot or that of ``iteration``. Answered by
    :class:`DeployState`, while it is being made; ask on with :class:`GetDeploy`.

    ``batch`` None: 1, or as in training where the net allows no other. ``outputs``: blobs that are wanted;
    empty: what the losses are about. ``inputs``: shapes, without the batch, of inputs whose data does not
    tell. ``check``: run both nets; one that differs is a failure.
    """

    session: str
    iteration: int | None = None
    batch: int | None = None
    outputs: list[str] = []
    inputs: dict[str, list[int]] = {}
    check: bool = True


class GetDeploy(Message, frozen=True, tag="get-deploy"):
    """Answered by :class:`DeployState`; a Failure with the reason where it came to nothing."""

    deploy: str


class CancelDeploy(Message, frozen=True, tag="cancel-deploy"):
    """Stop it, or forget what was made. Answered by :class:`Done`."""

    deploy: str


class ExportDeploy(Message, frozen=True, tag="export-deploy"):
    """Hand out what was made: answered by :class:`Export`, as for any other copy."""

    deploy: str


# --------------------------------------------------------------------------------------------------- results


class DeployState(Message, frozen=True, tag="deploy-state"):
    """``facts`` are there once ``step`` is ``ready``."""

    deploy: str
    session: str
    """Id."""
    step: Literal["making", "checking", "ready"]
    facts: DeployFacts | None = None


DeployCall = DeploySession | GetDeploy | CancelDeploy | ExportDeploy
DeployResult = DeployState
