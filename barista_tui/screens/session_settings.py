"""What a session trains with, and when: caffe, device, launcher, auto-resume, queue, in one dialog."""

from __future__ import annotations

from msgspec.structs import replace
from textual.app import ComposeResult
from textual.widgets import Input

from barista_server.api.link import CallFailed, LinkError
from barista_server.api.messages import SessionInfo, SessionReply
from barista_server.api.text import clean_name
from barista_tui import choosing
from barista_tui import format as fmt
from barista_tui.allowed import can_queue
from barista_tui.choosing import Wish
from barista_tui.commands import failure_text
from barista_tui.host import Host
from barista_tui.screens.training import SLURM, TrainingScreen, drop, labelled
from barista_tui.store import Key

RENEW = 1.0
"""Seconds between two looks whether it still is what it was."""


class SessionSettings(TrainingScreen[None]):
    """About the selected session. What cannot be changed now is dim, and the reason is told."""

    DEFAULT_CSS = """
    SessionSettings #fields.-no-queue .queue, SessionSettings #fields.-no-after .after { display: none; }
    """

    def start(self) -> tuple[str, Host, Wish]:
        main = self.app.main
        assert main.session is not None, "the action table lets no session action through without one"
        self._session: SessionInfo = main.session
        self._key = Key(main.host_name, main.session.id)
        title = f"Settings of {self._session.id} {clean_name(self._session.name)}"
        return title, self.app.fleet.of(self._key), choosing.wish_of(self._session)

    def more_fields(self, wish: Wish) -> ComposeResult:
        resumes = drop(list(choosing.RESUMES), wish.auto_resume, "auto-resume")
        yield from labelled("auto-resume", resumes)
        queue = [("no", ""), ("waits for room on its device", "yes")]
        yield from labelled("queue", drop(queue, "yes" if wish.queued else "", "queue"))
        priority = Input(str(wish.priority), id="priority", compact=True, classes="queue")
        yield from labelled("priority", priority, "queue")
        others = self.app.store.known.host(self._key.host).sessions.values()
        afters = choosing.after_choices(others, self._key.session, wish.after)
        yield from labelled("start after", drop(afters, wish.after, "after", "queue"), "queue")
        ends = drop(choosing.ENDS, "any" if wish.after_any else "", "after-any", "queue after")
        yield from labelled("once that", ends, "queue after")
        main = self.app.main
        known = self.app.store.known.sessions
        marked = [key for key in main.sessions.marked if key in known and known[key].kind != "log"]
        self._others = [key for key in marked if key != self._key] if self._key in marked else []
        if self._others:
            words = f"also for {fmt.plural(len(self._others), 'other marked session')}"
            yield from labelled("changes", drop([("for this one", ""), (words, "all")], "", "others"))

    def on_mount(self) -> None:
        self.set_interval(RENEW, self._renew)

    # ---------------------------------------------------------------------------------- what can be changed

    def _renew(self) -> None:
        """It may have been started, or have come to its end, meanwhile; what was typed stays."""
        session = self.app.store.known.sessions.get(self._key)
        if session is None:
            self.dismiss()
        elif session.state is not self._session.state:
            self._session = session
            self.show_frozen()

    def reasons(self) -> list[str]:
        still = choosing.frozen(self._session)
        no_queue = choosing.queue_frozen(self._session, can_queue(self.app.main.context()))
        for id in ("caffe", "device", "devices", "launcher", *SLURM):
            self.query_one(f"#{id}").disabled = still is not None
        for id in ("queue", "priority", "after", "after-any"):
            self.query_one(f"#{id}").disabled = no_queue is not None
        if still is not None:
            return [still]
        return [f"the queue: {no_queue}"] if no_queue is not None else []

    def show_rows(self) -> None:
        super().show_rows()
        fields, queued = self.query_one("#fields"), self.value("queue") == "yes"
        fields.set_class(not queued, "-no-queue")
        fields.set_class(not (queued and self.value("after")), "-no-after")

    # ---------------------------------------------------------------------------------- saving

    def wish(self) -> Wish:
        try:
            priority = int(self.text("priority") or 0)
        except ValueError:
            words = f"'{self.text('priority')}' is no priority: a number, higher goes first"
            raise ValueError(words) from None
        return replace(
            super().wish(),
            auto_resume=next(one for _, one in choosing.RESUMES if one == self.value("auto-resume")),
            queued=self.value("queue") == "yes",
            priority=priority,
            after=self.value("after"),
            after_any=self.value("after-any") == "any",
        )

    async def save(self, wish: Wish) -> None:
        told, before = False, choosing.wish_of(self._session)
        for decide in (choosing.configure, choosing.queueing):
            call = decide(self._session, wish)
            if call is not None and not (decide is choosing.queueing and self.select("queue").disabled):
                since = self.app.store.known.host(self._key.host).sequence
                self._session = (await self.host.call(call, SessionReply)).session
                self.app.store.changed_session(self._key.host, self._session, since)
                told = True
        if told:
            self.app.main.say(choosing.said(self._session), "information")
        if self._others and self.value("others"):
            self.app.main.ask_agent(
                self._likewise(before, wish), "The other marked sessions are as they were"
            )
        self.dismiss()

    async def _likewise(self, before: Wish, wish: Wish) -> None:
        """The same changes for the other marked sessions; what is refused is told of each."""
        refused, done = [], 0
        for key in self._others:
            session = self.app.store.known.sessions.get(key)
            if session is None:
                continue
            if key.host != self._key.host:
                before, wish = (replace(each, after="", after_any=False) for each in (before, wish))
            theirs, why = choosing.likewise(before, wish, session)
            try:
                for decide in (choosing.configure, choosing.queueing):
                    if (call := decide(session, theirs)) is not None:
                        since = self.app.store.known.host(key.host).sequence
                        session = (await self.app.fleet.of(key).call(call, SessionReply)).session
                        self.app.store.changed_session(key.host, session, since)
                done += why is None
            except (CallFailed, LinkError) as error:
                why = failure_text(error.failure) if isinstance(error, CallFailed) else str(error)
            refused += [f"{clean_name(session.name)} is {why}"] if why is not None else []
        words = [f"{fmt.plural(done, 'other marked session')} changed likewise", *refused]
        self.app.main.say("\n".join(words), "warning" if refused else "information")

    def refused(self, error: CallFailed) -> None:
        text = failure_text(error.failure)
        if error.failure.code == "changed":
            self._session = self.app.store.known.sessions.get(self._key, self._session)
            self.show_frozen()
            text += "\n^s saves what stands here all the same."
        self.tell(text)
