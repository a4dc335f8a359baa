"""Calls about the queue and the devices it hands out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from barista_server.agent.names import find_named
from barista_server.agent.seen import unchanged
from barista_server.api import messages as m

if TYPE_CHECKING:
    from barista_server.agent.client import Client
    from barista_server.agent.imported import Imported
    from barista_server.agent.queue import Queue
    from barista_server.agent.session import Session

Calls = dict[type, Callable[[Any, "Client"], Awaitable[m.Result]]]


def calls(
    queue: Queue, everything: Callable[[], list[Session | Imported]], find: Callable[[Any], Session]
) -> Calls:
    """The calls this module answers; ``find`` tells the session that a call is about."""
    return {**_session_calls(queue, everything, find), **_device_calls(queue)}


def _session_calls(
    queue: Queue, everything: Callable[[], list[Session | Imported]], find: Callable[[Any], Session]
) -> Calls:
    async def start(call: m.StartSession, client: Client) -> m.Result:
        session = find(call)
        async with session.lock:
            # Two may press it at once: what one asks for is there. From a snapshot it is not.
            if session.state is not m.State.RUNNING or call.snapshot is not None:
                unchanged(session, call)
                await queue.start(session, call.snapshot)
        return m.SessionReply(session=session.info())

    async def add(call: m.QueueSession, client: Client) -> m.Result:
        session = find(call)
        after = find_named(everything(), call.after).id if call.after else ""
        await queue.add(session, call, after)
        await queue.settled(session)
        return m.SessionReply(session=session.info())

    async def take_out(call: m.UnqueueSession, client: Client) -> m.Result:
        session = find(call)
        async with session.lock:
            await queue.take_out(session)
        return m.SessionReply(session=session.info())

    async def move(call: m.MoveInQueue, client: Client) -> m.Result:
        session = find(call)
        await queue.rearrange(session, call)
        await queue.settled()
        return m.SessionReply(session=session.info())

    return {
        m.StartSession: start,
        m.QueueSession: add,
        m.UnqueueSession: take_out,
        m.MoveInQueue: move,
    }


def _device_calls(queue: Queue) -> Calls:
    async def set_slots(call: m.SetSlots, client: Client) -> m.Result:
        await queue.set_slots(call.device, call.slots)
        await queue.settled()
        return queue.listed()

    async def listed(call: m.ListQueue, client: Client) -> m.Result:
        await queue.settled()
        return queue.listed()

    async def devices(call: m.ListDevices, client: Client) -> m.Result:
        return await queue.devices()

    return {
        m.SetSlots: set_slots,
        m.ListQueue: listed,
        m.ListDevices: devices,
    }
