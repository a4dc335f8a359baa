"""Starts the processes that look into datasets, and reads what they tell: a crash there is an error here."""

from __future__ import annotations

import asyncio
import base64
import binascii
import os
import signal
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

import msgspec

from barista_server.agent.datasets.tasks import Answer, Failed, Task
from barista_server.agent.errors import CallError

T = TypeVar("T")

LONGEST = 120.0
"""Seconds that an answer may take, unless all is to be read."""
_LINE = 32 << 20
_ANSWER: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)


async def ask(task: Task, kind: type[T], longest: float | None = LONGEST) -> T:
    """The one answer to a task. Raises CallError."""
    try:
        async with asyncio.timeout(longest), aclosing(answers(task)) as told:
            async for answer in told:
                if isinstance(answer, kind):
                    return answer
    except TimeoutError:
        hint = "Its disk is slow or hangs: try again later."
        raise CallError("timeout", f"{task.path}: reading it took over {longest:g} s", hint) from None
    hint = "Copy it again from where it was made; the end of agent.log in the root says more."
    raise CallError("invalid", f"{task.path}: reading it failed", hint)


async def answers(task: Task) -> AsyncGenerator[Answer, None]:
    """All answers to a task. Raises CallError when it fails or the process dies; leaving off kills it."""
    with tempfile.TemporaryDirectory(prefix="barista-") as folder:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-P", "-m", "barista_server.agent.datasets.child",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={**os.environ, "TMPDIR": folder},
            limit=_LINE,
            start_new_session=True,
        )  # fmt: skip
        try:
            assert process.stdin is not None and process.stdout is not None
            process.stdin.write(msgspec.msgpack.encode(task))
            process.stdin.close()
            async for line in process.stdout:
                answer = _decoded(task, line)
                if isinstance(answer, Failed):
                    raise CallError(answer.code, answer.text, answer.hint)
                yield answer
            if code := await process.wait():
                why = signal.Signals(-code).name if code < 0 else f"exit code {code}"
                text = f"{task.path}: reading it ended with {why}: it is damaged"
                raise CallError("invalid", text, "Copy it again from where it was made.")
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


def _decoded(task: Task, line: bytes) -> Answer:
    try:
        return _ANSWER.decode(base64.b64decode(line))
    except (binascii.Error, msgspec.DecodeError):
        raise CallError("internal", f"{task.path}: reading it gave no answer that is understood") from None
