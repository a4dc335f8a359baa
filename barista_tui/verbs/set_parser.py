"""The command lines of `barista set` and `barista slurm`, and what `barista start` shares with them."""

from __future__ import annotations

import argparse

from barista_tui.verbs.arguments import SESSION_HELP, Verbs, add_json, add_verb, at_least


def add_set(verbs: Verbs[argparse.ArgumentParser]) -> None:
    change = add_verb(verbs, "set", "choose what a session trains with, or what new ones on a host get")
    change.add_argument("session", nargs="?", metavar="SESSION", help=SESSION_HELP)
    change.add_argument("--defaults", action="store_true", help="of new sessions on the host, instead of one")
    change.add_argument("--caffe", metavar="C", help="executable, see: barista caffes")
    change.add_argument("--device", metavar="D", help="cpu, or as caffe's --gpu: 0, 0,1, all")
    change.add_argument(
        "--auto-resume",
        choices=["off", "on", "crash"],
        help="start it again by itself: on after a reboot, crash also after a signal or for want of memory",
    )
    change.add_argument(
        "--launcher", choices=["process", "slurm"], help="a process of the host, or a job of Slurm"
    )
    keep = change.add_argument_group("snapshots that stay; others go by themselves, for good (0: all stay)")
    keep.add_argument("--keep-last", type=at_least(0), metavar="N", help="the newest N; the newest always")
    keep.add_argument("--keep-best", type=at_least(0), metavar="N", help="the best N by a test output")
    keep.add_argument("--by", metavar="NAME", help="the test output; of losses and errors the least are best")
    slurm = change.add_argument_group("Slurm, what a job asks for (empty: nothing is said)")
    slurm.add_argument("--partition", metavar="P", help="see: barista slurm")
    slurm.add_argument("--gres", metavar="G", help="gpu:1, gpu:a100:2")
    slurm.add_argument("--time", metavar="T", help="time limit: minutes, HH:MM:SS, DAYS-HH")
    slurm.add_argument("--cpus", type=at_least(0), metavar="N", help="processors")
    slurm.add_argument("--memory", metavar="M", help="16G")
    slurm.add_argument("--account", metavar="A", help="who pays")
    slurm.add_argument(
        "--sbatch-arg",
        action="append",
        metavar="ARG",
        help="another argument of sbatch, as in --sbatch-arg=--qos=long; may be repeated; empty: none",
    )
    add_json(change)


def add_submitting(start: argparse._ActionsContainer) -> None:
    start.add_argument("--slurm", action="store_true", help="as a job, from now on (see: barista set)")
    start.add_argument("--array", action="store_true", help="several sessions as one job array")
    start.add_argument(
        "--at-once", type=at_least(0), default=0, metavar="N", help="with --array: so many at a time"
    )


def add_slurm(verbs: Verbs[argparse.ArgumentParser]) -> None:
    add_json(add_verb(verbs, "slurm", "show a host's Slurm: partitions, and the jobs of its sessions"))
