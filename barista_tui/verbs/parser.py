"""The command line of `barista`: argparse and nothing else, so that --help is there at once."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from barista_tui import __version__
from barista_tui.verbs.arguments import Parser
from barista_tui.verbs.arguments import Verbs as _Verbs
from barista_tui.verbs.arguments import add_json as _json
from barista_tui.verbs.arguments import add_session as _session
from barista_tui.verbs.arguments import add_verb as _verb
from barista_tui.verbs.arguments import at_least as _at_least
from barista_tui.verbs.caffes_parser import add_caffes
from barista_tui.verbs.compare_parser import add_comparing, add_group
from barista_tui.verbs.deploy_parser import add_deploy
from barista_tui.verbs.edit_parser import add_edit
from barista_tui.verbs.errors import MEANINGS
from barista_tui.verbs.examples import add_examples
from barista_tui.verbs.hosts_parser import add_hosts
from barista_tui.verbs.inputs_parser import add_inputs
from barista_tui.verbs.messages_parser import add_messages
from barista_tui.verbs.plot_parser import add_plot
from barista_tui.verbs.queue_parser import add_queue, add_waiting
from barista_tui.verbs.set_parser import add_set, add_slurm, add_submitting
from barista_tui.verbs.transfer_parser import add_transfers
from barista_tui.verbs.trash_parser import add_trash

ABOUT = "Train Caffe networks from the terminal. Without a verb: the screen."

_EPILOG = "\n".join(
    [
        "to begin with:",
        "  barista                                                   the screen",
        "  barista new --template lenet-digits --name first --start  a training",
        "  barista logs -f first                                     its log",
        "  barista help new                                          about one verb, with examples",
        "",
        "exit codes:",
        *(f"  {code.value:<4} {meaning}" for code, meaning in MEANINGS.items()),
        "",
        "The root folder holds all sessions: --root, else $BARISTA_ROOT, else the user's data folder.",
        'In --json output a number that JSON cannot hold is the string "NaN", "Infinity" or "-Infinity".',
        "Colour is only used on a terminal, and not with NO_COLOR set or TERM=dumb (also: plain ASCII).",
    ]
)


def build_parser(verb: str | None = None) -> argparse.ArgumentParser:
    """The whole command line, or what one ``verb`` needs of it ("": none). ``args.verb`` is None for
    the screen.
    """
    parser: argparse.ArgumentParser = Parser(
        prog="barista",
        description=ABOUT,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"barista {__version__}")
    parser.add_argument("--root", type=Path, metavar="DIR", help="folder that holds the sessions")
    parser.add_argument("--host", metavar="HOST", help="another machine, see: barista host")
    parser.add_argument(
        "--server",
        action="store_true",
        help="have an agent with a port (localhost:4200), put it on the hosts, and show it",
    )
    parser.add_argument("--dir", type=Path, metavar="DIR", help="with --server: its folder, which must exist")
    parser.add_argument("--port", type=int, default=4200, metavar="N", help="with --server: another port")
    parser.add_argument(
        "--all", action="store_true", help="the screen on all hosts, whatever project was open"
    )
    parser.set_defaults(path=None)
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", title="verbs")
    for names, add in _GROUPS:
        if verb is None or verb in names:
            add(verbs)
    add_examples(parser)
    return parser


def _looking(verbs: _Verbs[argparse.ArgumentParser]) -> None:
    open_ = _verb(verbs, "open", "the screen on a project, a session's folder, a root, or a log")
    open_.add_argument("path", type=Path, metavar="PATH", help="also without the word: barista PATH")
    ls = _verb(verbs, "ls", "list the sessions")
    ls.add_argument("--everywhere", action="store_true", help="of this machine and all hosts of the list")
    _json(ls)
    show = _verb(verbs, "show", "show all about one session: problems, runs, snapshots")
    _session(show)
    _json(show)
    _net(verbs)
    _json(_verb(verbs, "templates", "list the ready-made networks"))
    add_caffes(verbs)
    _json(_verb(verbs, "devices", "list CPU and graphics cards: memory, load, who holds them"))


def _net(verbs: _Verbs[argparse.ArgumentParser]) -> None:
    net = _verb(verbs, "net", "show layers, shapes, parameters and memory of nets, without running them")
    net.add_argument(
        "source", metavar="SESSION|FILE", help="a session, or the .prototxt file of a solver or a net"
    )
    net.add_argument("--phase", choices=["train", "test"], default="", help="only nets of this phase")
    net.add_argument(
        "--stage",
        action="append",
        default=[],
        metavar="S",
        help="as caffe's --stage; several with commas or repeated (with a solver: of the train net)",
    )
    net.add_argument("--level", type=int, metavar="N", help="as caffe's --level (with a solver: likewise)")
    net.add_argument(
        "--records",
        type=_records,
        default=[],
        metavar="CxHxW",
        help="channels, height and width of the records where the data is not there, as in 3x256x256",
    )
    _json(net)


def _records(text: str) -> list[int]:
    """A type for sizes with an x between them."""
    sizes = [int(size) for size in text.split("x")]
    if len(sizes) != 3 or min(sizes) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not channels x height x width")
    return sizes


def _making(verbs: _Verbs[argparse.ArgumentParser]) -> None:
    new = _verb(verbs, "new", "make a session from a template or from prototxt files")
    source = new.add_mutually_exclusive_group(required=True)
    source.add_argument("solver", nargs="?", type=Path, metavar="SOLVER.prototxt", help="the solver's file")
    source.add_argument("--template", metavar="T", help="a ready-made network, see: barista templates")
    new.add_argument("--net", type=Path, metavar="NET.prototxt", help="default: the file the solver names")
    new.add_argument(
        "--base",
        type=Path,
        metavar="DIR",
        help="folder that relative paths in the files mean (default: where the solver's net is found); "
        "with --template the folder of its data",
    )
    new.add_argument("--name", default="", metavar="N", help="name of the session (default: the net's)")
    new.add_argument(
        "--caffe", default="", metavar="C", help="executable (default: the host's), see: barista caffes"
    )
    new.add_argument(
        "--device",
        default="",
        metavar="D",
        help="cpu, or as caffe's --gpu: 0, 0,1, all (default: the host's)",
    )
    new.add_argument("--start", action="store_true", help="and start it")
    _json(new)

    imported = _verb(verbs, "import", "show a log of any caffe beside the sessions, or make one of a folder")
    imported.add_argument(
        "path",
        type=Path,
        metavar="LOG|FOLDER",
        help="a file, only read, also as it grows; or a training's folder here, as with: barista put",
    )
    imported.add_argument("--name", default="", metavar="N", help="name in the list (default: the file's)")
    _json(imported)

    add_set(verbs)
    add_edit(verbs)


def _running(verbs: _Verbs[argparse.ArgumentParser]) -> None:
    start = _verb(verbs, "start", "start a session, or go on from a snapshot")
    _session(start)
    start.add_argument("more", nargs="*", metavar="SESSION", help="and these")
    start.add_argument(
        "--snapshot", type=int, metavar="ITER", help="iteration to go on from (default: the newest)"
    )
    waiting = start.add_argument_group("queue")
    waiting.add_argument("--queue", action="store_true", help="not before its device has room")
    add_waiting(waiting)
    add_submitting(start.add_argument_group("Slurm"))
    _json(start)

    pause = _verb(verbs, "pause", "stop with a verified snapshot and wait until it is done")
    _session(pause)
    pause.add_argument(
        "--wait",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="wait until it is paused (default)",
    )
    pause.add_argument(
        "--force",
        choices=["term", "kill"],
        default="",
        help="for a process that does not react; loses the iterations since the last snapshot",
    )
    _json(pause)

    snapshot = _verb(verbs, "snapshot", "take a snapshot of a running session")
    _session(snapshot)
    _json(snapshot)

    wait = _verb(verbs, "wait", "wait until a session is in a state")
    _session(wait)
    wait.add_argument(
        "--state", default="finished", metavar="STATE", help="one, or several with commas (default: finished)"
    )
    wait.add_argument("--timeout", type=float, metavar="SECONDS", help="give up after that long")
    _json(wait)


def _data(verbs: _Verbs[argparse.ArgumentParser]) -> None:
    add_messages(verbs)
    logs = _verb(verbs, "logs", "print a run's log")
    _session(logs)
    logs.add_argument("-f", "--follow", action="store_true", help="go on until the run ends")
    logs.add_argument(
        "-n", "--lines", type=_at_least(0), metavar="LINES", help="only the last (default: all; with -f 20)"
    )
    logs.add_argument("--run", type=int, metavar="N", help="number of the run (default: the last)")
    logs.add_argument("--raw", action="store_true", help="the bytes as they are, control characters too")
    logs.add_argument("--grep", metavar="REGEX", help="only lines in which this is found")
    logs.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="write them there (default: standard output)"
    )
    logs.add_argument("--ignore-case", action="store_true", help="capitals do not count for --grep")
    logs.add_argument("--numbers", action="store_true", help="with --grep, number of each line before it")


def _weights(verbs: _Verbs[argparse.ArgumentParser]) -> None:
    verb = _verb(verbs, "weights", "list a trained model's layers, their blobs and what the values are like")
    verb.add_argument(
        "session",
        metavar="FILE|SESSION[@ITER]",
        help="a .caffemodel[.h5], or a session's newest snapshot, or that of an iteration",
    )
    verb.add_argument(
        "--layer", action="append", metavar="NAME", help="only this one, with --stats; may be repeated"
    )
    verb.add_argument(
        "--stats", action="store_true", help="read the values: least, mean, greatest, deviation, NaN, zeros"
    )
    drawn = verb.add_mutually_exclusive_group()
    drawn.add_argument(
        "--png", type=Path, metavar="FILE", help="draw the layer into this file; light is high"
    )
    for kind in ("sixel", "kitty"):
        about = f"draw it here, in a terminal that shows {kind}{'s' if kind == 'sixel' else ' graphics'}"
        drawn.add_argument(f"--{kind}", dest="terminal", action="store_const", const=kind, help=about)
    verb.add_argument("--blob", type=int, default=0, metavar="N", help="of a picture: 0 weights, 1 bias ...")
    verb.add_argument(
        "--scale",
        choices=["shared", "filter"],
        default="shared",
        help="of a picture: one range of grey for all, or one for each filter",
    )
    verb.add_argument(
        "--channels", choices=["colour", "channels", "mean"], help="of a picture: how filters show them"
    )
    _json(verb)


def _keeping(verbs: _Verbs[argparse.ArgumentParser]) -> None:
    rename = _verb(verbs, "rename", "give a session another name")
    _session(rename)
    rename.add_argument("name", metavar="NAME")
    _json(rename)
    for name, about in (
        ("reset", "throw a session's snapshots and logs into the trash"),
        ("rm", "throw a session into the trash"),
    ):
        verb = _verb(verbs, name, about)
        _session(verb)
        _json(verb)
    add_trash(verbs)
    restore = _verb(verbs, "restore", "bring back what reset or rm took away")
    restore.add_argument("trash", metavar="TRASH", help="as reset and rm print it")
    _json(restore)


def _rest(verbs: _Verbs[argparse.ArgumentParser]) -> None:
    agent = _verb(verbs, "agent", "the agent that runs the trainings of the root folder")
    agent.add_argument(
        "what", choices=["status", "stop"], metavar="status|stop", help="stop: trainings go on without it"
    )
    _json(agent)
    doctor = _verb(verbs, "doctor", "say what this machine, or a host, is fit for, and what to do about it")
    doctor.add_argument(
        "--torture",
        action="store_true",
        help="try what trainings survive there, with real processes; a minute",
    )
    doctor.add_argument(
        "--kills", type=_at_least(1), default=20, metavar="N", help="of the agent (default: %(default)s)"
    )
    _json(doctor)
    demo = _verb(verbs, "demo", "train LeNet on handwritten digits and show it")
    demo.add_argument("--ascii", action="store_true", help="plain ASCII in line mode")
    demo.add_argument(
        "--iterations",
        type=_at_least(1),
        metavar="N",
        help="of a training that is made anew; fewer are less accurate (default: 2000)",
    )
    completion = _verb(verbs, "completion", "print a script that completes commands in your shell")
    completion.add_argument("shell", choices=["bash", "zsh", "fish"], metavar="bash|zsh|fish")


_GROUPS: tuple[tuple[tuple[str, ...], Callable[[_Verbs[argparse.ArgumentParser]], None]], ...] = (
    (("open", "ls", "show", "net", "templates", "caffes", "devices"), _looking),
    (("new", "import", "set", "edit"), _making),
    (("clone", "diff", "compare", "tree"), add_comparing),
    (("start", "pause", "snapshot", "wait"), _running),
    (("queue",), add_queue),
    (("slurm",), add_slurm),
    (("messages", "logs"), _data),
    (("export", "plot"), add_plot),
    (("weights",), _weights),
    (("rename", "reset", "rm", "trash", "restore"), _keeping),
    (("deploy",), add_deploy),
    (("get", "put", "move"), add_transfers),
    (("input",), add_inputs),
    (("host",), add_hosts),
    (("agent", "doctor", "demo", "completion"), _rest),
    ((), add_group),
)
"""In the order of --help: verbs, and what adds them; the last needs all others."""
