"""Dialogs before something is fetched, put, moved or deployed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from barista_server.api.messages import Keep, SessionInfo, State
from barista_server.api.transfers import ExportSession
from barista_tui import deploying, format
from barista_tui.carriage import Carriage
from barista_tui.deploying import DeployWish
from barista_tui.moving import Wish
from barista_tui.runway import guess_high
from barista_tui.screens.form import Answers, Field, FormScreen
from barista_tui.transfer_ends import plain

if TYPE_CHECKING:
    from barista_tui.app import BaristaApp


class CarryDeeds:
    """Asks how, and has it done. Whether it is allowed was asked before."""

    def __init__(self, app: BaristaApp) -> None:
        self._app = app

    # ---------------------------------------------------------------------------------- what is meant

    @property
    def _session(self) -> SessionInfo:
        session = self._app.main.session
        assert session is not None, "the action table lets no session action through without one"
        return session

    @property
    def _on(self) -> str:
        return self._app.main.host_name

    def _chosen(self) -> str:
        """The iteration of the snapshot under the cursor, where that pane has the focus."""
        main = self._app.main
        chosen = main.pane("snapshots").facts() if main.active == "snapshots" else None
        return str(chosen) if chosen is not None else ""

    def _owners(self, but: str = "") -> list[tuple[str, str]]:
        hosts = self._app.store.known.hosts.values()
        found = [host for host in hosts if host.alive and host.role == "owner" and host.name != but]
        return [(f"{host.name}  {format.plural(len(host.sessions), 'session')}", host.name) for host in found]

    # ---------------------------------------------------------------------------------- deeds

    def deploy(self) -> None:
        """A net to be used, of a snapshot."""
        session, on, chosen = self._session, self._on, self._chosen()
        newest = session.snapshots[-1].iteration
        folder = Path.cwd() / f"{plain(session.name)}-{chosen or newest}"
        fields = [
            Field("snapshot", "snapshot", "choice", chosen, choices=_iterations(session)),
            Field("into", "into", "path", str(folder), "a folder to be made, or FILE.tar.gz"),
            Field("batch", "batch", hint="1, if the net allows that"),
            Field("blobs", "outputs", hint="what the losses are about; else names of blobs"),
            Field("inputs", "inputs", hint="data=3x227x227, where the data is not there to tell"),
            Field("check", "check", "tick", "yes", "run both nets on one sample"),
        ]
        about = "Inputs instead of data, no losses; with the weights and what the inputs expect."

        def decided(answers: Answers | None) -> None:
            if answers is None:
                return
            wish = DeployWish(
                session=session.id,
                iteration=int(answers["snapshot"]) if answers["snapshot"] != "newest" else None,
                batch=int(answers["batch"]) if answers["batch"] else None,
                outputs=tuple(answers["blobs"].replace(",", " ").split()),
                inputs=dict(map(deploying.input_shape, answers["inputs"].replace(",", " ").split())),
                check=bool(answers["check"]),
            )
            Carriage(self._app).deploy(on, session, wish, _path(answers["into"]))

        form = FormScreen(f"Deploy {session.name}", about, fields, "Deploy", _wrong_deployment)
        self._app.push_screen(form, decided)

    def fetch(self) -> None:
        """Snapshots, or all of the folder, to this machine."""
        session, on, chosen = self._session, self._on, self._chosen()
        single = [(f"snapshot {one.iteration}, {format.size(one.size)}", str(one.iteration))
                  for one in reversed(session.snapshots)]  # fmt: skip
        whole = [("the folder, with the newest snapshot", "folder newest")]
        if len(session.snapshots) > 1:
            whole.append(("the folder, with all snapshots", "folder all"))
        if not session.snapshots:
            whole = [("the folder: net, solver, runs with logs", "folder none")]
        fields = [
            Field("what", "what", "choice", chosen, choices=[*single, *whole]),
            Field("into", "into", "path", str(Path.cwd()), "a folder of this machine"),
        ]
        about = f"From {on} to this machine, each file checked. Broken off, the same again goes on."

        def decided(answers: Answers | None) -> None:
            if answers is not None:
                call = _export(session.id, answers["what"])
                Carriage(self._app).fetch(on, session, call, _path(answers["into"]))

        form = FormScreen(f"Fetch {session.name}", about, fields, "Fetch", _wrong_folder)
        self._app.push_screen(form, decided)

    def put(self) -> None:
        """A training's folder of this machine to a host."""
        fields = [
            Field("folder", "folder", "path", hint="with solver, net, snapshots and logs, or a session's"),
            Field("host", "host", "choice", self._on if self._on in dict(self._owners()).values() else "",
                  choices=self._owners()),
            Field("name", "name", hint="as it was"),
        ]  # fmt: skip
        about = "A training's folder that lies on this machine becomes a session there; here it stays."

        def decided(answers: Answers | None) -> None:
            if answers is not None:
                Carriage(self._app).put(_path(answers["folder"]), answers["host"], answers["name"])

        form = FormScreen("Bring a folder to a host", about, fields, "Bring", _wrong_source)
        self._app.push_screen(form, decided)

    def move(self) -> None:
        """The session to another host, where it goes on."""
        session, on = self._session, self._on
        runs = session.state in (State.RUNNING, State.PAUSING)
        fields = [
            Field("to", "to", "choice", choices=self._owners(but=on)),
            Field("start", "there", "tick", "yes" if session.state is not State.FINISHED else "",
                  "start it, and see it train"),
            Field("data", "data", "tick", "", "copy datasets that are missing there"),
            Field("all", "snapshots", "tick", "", "all of them, not the newest alone"),
            Field("keep", "here", "tick", "", "keep it too, instead of into the trash"),
            Field("caffe", "caffe", hint=f"of the same name: {session.caffe}"),
            Field("device", "device", hint=f"as it is: {session.device}"),
        ]  # fmt: skip
        first = "It is paused with a snapshot, " if runs else "It is "
        about = f"{first}copied and checked, and goes on there. Whatever goes wrong, it is here as it was."

        def decided(answers: Answers | None) -> None:
            if answers is None:
                return
            wish = Wish(
                session=session.id,
                start=bool(answers["start"]),
                keep=bool(answers["keep"]),
                all_snapshots=bool(answers["all"]),
                with_data=bool(answers["data"]),
                caffe=answers["caffe"],
                device=answers["device"],
            )
            Carriage(self._app).move(on, session, answers["to"], wish)

        self._app.push_screen(FormScreen(f"Move {session.name}", about, fields, "Move"), decided)

    def keep(self) -> None:
        """How many snapshots stay."""
        session, on = self._session, self._on
        now = session.keep or Keep()
        tests = list(dict.fromkeys([*([now.by] if now.by else []), *session.tests]))
        choices = [(f"{name}, {'greatest' if high else 'least'} first", f"{name} {high}")
                   for name in tests for high in (guess_high(name), not guess_high(name))]  # fmt: skip
        fields = [
            Field("last", "the last", value=str(now.last or ""), hint="all"),
            Field("best", "the best", value=str(now.best or ""), hint="none besides"),
            Field("by", "by", "choice", f"{now.by} {now.high}" if now.by else "",
                  choices=choices or [("no test output yet", " True")]),
        ]  # fmt: skip
        about = "Others go by themselves, for good, to make room. The newest always stays. Empty: all stay."

        def decided(answers: Answers | None) -> None:
            if answers is None:
                return
            name, _, high = answers["by"].rpartition(" ")
            best = int(answers["best"] or 0)
            wanted = Keep(int(answers["last"] or 0), best, name if best else "", high == "True")
            call = self._app.main.commands.keep(on, session, wanted)
            self._app.main.ask_agent(call, f"What {session.name} keeps is as it was")

        form = FormScreen(f"Keep snapshots of {session.name}", about, fields, "Keep", _wrong_keep)
        self._app.push_screen(form, decided)


def _iterations(session: SessionInfo) -> list[tuple[str, str]]:
    newest = session.snapshots[-1].iteration
    found = dict.fromkeys(one.iteration for one in reversed(session.snapshots))
    return [(f"the newest: {newest}", "newest"), *((str(one), str(one)) for one in found)]


def _export(session: str, what: str) -> ExportSession:
    """What a choice of the form means."""
    match what:
        case "folder newest":
            return ExportSession(session=session)
        case "folder all":
            return ExportSession(session=session, snapshots="all")
        case "folder none":
            return ExportSession(session=session, snapshots="none")
    return ExportSession(session=session, snapshots="none", iteration=int(what), folder=False)


def _path(text: str) -> Path:
    return Path(text).expanduser().absolute()


def _wrong_deployment(answers: Answers) -> str:
    place = _path(answers["into"])
    if not answers["into"]:
        return "Where to: a folder to be made, or a file that ends in .tar.gz"
    if place.exists():
        return f"{place} is there already: name another one"
    if wrong := deploying.wrong_archive(place):
        return wrong
    if answers["batch"] and not (answers["batch"].isdecimal() and int(answers["batch"])):
        return "The batch is a number from 1 on, or nothing"
    try:
        list(map(deploying.input_shape, answers["inputs"].replace(",", " ").split()))
    except ValueError as error:
        return str(error)
    return ""


def _wrong_keep(answers: Answers) -> str:
    for name in ("last", "best"):
        if answers[name] and not answers[name].isdecimal():
            return f"{answers[name]} is no number"
    if int(answers["best"] or 0) and not answers["by"].strip().removesuffix("True").strip():
        return "There is no test output to tell the best by"
    return ""


def _wrong_folder(answers: Answers) -> str:
    if not answers["into"]:
        return "Where to: a folder of this machine, which is made if it is not there"
    place = _path(answers["into"])
    return f"{place} is a file" if place.is_file() else ""


def _wrong_source(answers: Answers) -> str:
    if not answers["folder"] or not _path(answers["folder"]).is_dir():
        return f"{answers['folder'] or 'That'} is no folder of this machine"
    return ""
