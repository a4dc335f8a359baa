"""What is asked of agents to see sessions beside each other, whichever hosts they are on."""

from __future__ import annotations

from typing import Protocol, TypeVar

from barista_server.api.messages import (
    Call,
    DiffSettings,
    GetFiles,
    Message,
    SessionFiles,
    SessionInfo,
    Settings,
    SettingsDiff,
    SummarizeSession,
    Summary,
)

R = TypeVar("R", bound=Message)


class Asked(Protocol):
    """A link, or a host."""

    async def call(self, call: Call, result: type[R]) -> R: ...


async def settings_diff(
    old: Asked, old_session: SessionInfo, new: Asked, new_session: SessionInfo
) -> SettingsDiff:
    """What tells the settings of two sessions apart. Raises CallFailed, LinkError."""
    if old is new:
        return await new.call(DiffSettings(old=old_session.id, new=new_session.id), SettingsDiff)
    files = await old.call(GetFiles(session=old_session.id), SessionFiles)
    texts = Settings(solver=files.solver, net=files.net, name=old_session.name)
    return await new.call(DiffSettings(old=texts, new=new_session.id), SettingsDiff)


async def summary(host: Asked, session: SessionInfo) -> Summary:
    """What a session is compared by. Raises CallFailed, LinkError."""
    return await host.call(SummarizeSession(session=session.id), Summary)
