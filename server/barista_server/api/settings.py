"""What the messages say of choices a person makes: for one session, and for all new ones on a host."""

from __future__ import annotations

from barista_server.api.things import Acting, AutoResume, LauncherName, Message, SlurmOptions


class ConfigureSession(Acting, frozen=True, tag="configure"):
    """Choose anew what a session trains with. Answered by :class:`SessionReply`; refused while it runs, but
    for ``auto_resume``.

    A field that is None stays as it is.
    """

    session: str
    caffe: str | None = None
    """Name of an executable, see :class:`ListCaffes`."""
    device: str | None = None
    """``cpu``, or what caffe's ``--gpu`` takes: ``0``, ``0,1``, ``all``."""
    auto_resume: AutoResume | None = None
    launcher: LauncherName | None = None
    slurm: SlurmOptions | None = None
    """All of them anew."""


class GetDefaults(Message, frozen=True, tag="get-defaults"):
    """Answered by :class:`Defaults`."""


class SetDefaults(Message, frozen=True, tag="set-defaults"):
    """Choose what new sessions on this host get. Answered by :class:`Defaults`.

    A field that is None stays as it is; an empty one goes back to what the agent takes by itself.
    """

    caffe: str | None = None
    device: str | None = None
    launcher: LauncherName | None = None
    slurm: SlurmOptions | None = None


class Defaults(Message, frozen=True, tag="defaults"):
    """What a new session on this host gets when nobody says otherwise."""

    caffe: str = ""
    """Name of an executable; empty: the first that works."""
    device: str = "cpu"
    launcher: LauncherName = "process"
    slurm: SlurmOptions | None = None


SettingsCall = ConfigureSession | GetDefaults | SetDefaults
SettingsResult = Defaults
SETTINGS_LOOKS: frozenset[type[Message]] = frozenset({GetDefaults})
