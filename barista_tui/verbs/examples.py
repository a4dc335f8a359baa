"""Examples of every verb, for its --help and docs/verbs.md."""

from __future__ import annotations

import argparse

from barista_tui.verbs.arguments import add_where

EXAMPLES: dict[str, tuple[str, ...]] = {
    "open": ("barista digits.barista", "barista path/to/train.log", "barista old.caffemodel"),
    "ls": ("barista ls", "barista ls --host gpu01 --json", "barista ls --everywhere"),
    "show": ("barista show mine",),
    "net": ("barista net mine", "barista net train_val.prototxt --phase test --records 3x256x256"),
    "templates": ("barista templates",),
    "caffes": ("barista caffes", "barista caffes --check --host gpu01"),
    "caffes add": (
        "barista caffes add mine /opt/caffe/bin/caffe",
        "barista caffes add boxed -- docker run --rm bvlc/caffe:cpu caffe",
    ),
    "devices": ("barista devices --host gpu01",),
    "new": (
        "barista new --template lenet-digits --name first --start",
        "barista new solver.prototxt --net train_val.prototxt --name mine",
    ),
    "import": ("barista import old/train.log", "barista import old/training --name old"),
    "set": (
        "barista set mine --caffe boxed --device 0,1",
        "barista set mine --auto-resume on",
        "barista set --defaults --device 0 --host gpu01",
    ),
    "clone": ("barista clone mine --snapshot 4000 --name finer", "barista clone mine --settings-only"),
    "diff": ("barista diff finer", "barista diff mine gpu01:other --json"),
    "compare": ("barista compare mine finer --sort accuracy", "barista compare --csv"),
    "tree": ("barista tree", "barista tree mine"),
    "start": (
        "barista start mine",
        "barista start mine --snapshot 4000",
        "barista start mine --queue --after other",
    ),
    "pause": ("barista pause mine", "barista pause mine --force term"),
    "snapshot": ("barista snapshot mine",),
    "wait": ("barista wait mine --state finished,failed --timeout 3600",),
    "queue ls": ("barista queue ls --host gpu01",),
    "queue add": ("barista queue add mine --after other",),
    "queue move": ("barista queue move mine first",),
    "slurm": ("barista slurm --host cluster",),
    "messages": ("barista messages --type errors", "barista messages -f --caller 'Session 7'"),
    "logs": ("barista logs mine -f", "barista logs mine --grep 'loss = nan' --numbers"),
    "export": (
        "barista export mine -o mine.csv",
        "barista export csv mine > mine.csv",
        "barista export mine finer --series train.loss,test.accuracy --rfc4180",
    ),
    "plot": (
        "barista plot mine --log",
        "barista plot mine finer --series 'test.*' --svg both.svg",
        "barista plot mine --plain",
    ),
    "weights": (
        "barista weights old.caffemodel --stats",
        "barista weights mine@4000 --layer conv1 --png conv1.png",
        "barista weights mine --layer conv1 --sixel",
    ),
    "rename": ("barista rename mine better",),
    "reset": ("barista reset mine",),
    "rm": ("barista rm mine",),
    "trash": ("barista trash", "barista trash --host gpu01"),
    "trash empty": (
        "barista trash empty 20260102T030405-7-delete",
        "barista trash empty --older-than 30",
        "barista trash empty --all",
    ),
    "restore": ("barista restore 20260102T030405-7-delete",),
    "deploy": ("barista deploy mine", "barista deploy mine --snapshot 4000 -o net.tar.gz"),
    "get": ("barista get mine --host gpu01 -o results", "barista get mine --host gpu01 --folder"),
    "put": ("barista put old/training --host gpu01 --device 0",),
    "move": ("barista move mine --to gpu01",),
    "input ls": ("barista input ls --host gpu01",),
    "input add": ("barista input add path/to/lmdb --name mnist-train",),
    "input hash": ("barista input hash mnist-train", "barista input hash mnist-train --cancel"),
    "input thumbnails": ("barista input thumbnails mnist-train --count 2 --side 14",),
    "input search": ("barista input search --below data",),
    "input roots": ("barista input roots add /data",),
    "input copy": ("barista input copy mnist-train --to gpu01",),
    "host ls": ("barista host ls --json",),
    "host add": ("barista host add gpu01", "barista host add lab me@lab.example:2222"),
    "host install": ("barista host install gpu01", "barista host install gpu01 --print"),
    "agent": ("barista agent status", "barista agent stop"),
    "doctor": ("barista doctor --host gpu01 --torture",),
    "demo": ("barista demo",),
    "completion": ("barista completion bash > ~/.local/share/bash-completion/completions/barista",),
}
"""By verb, as it is typed."""

CODES = "exit codes: see barista --help"


class Manual(argparse.HelpFormatter):
    """Wraps sentences, and leaves lines that begin with blanks as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        paragraphs = text.split("\n\n")
        return "\n\n".join(
            "\n".join(indent + line for line in each.splitlines())
            if "\n " in each
            else super(Manual, self)._fill_text(each, width, indent)
            for each in paragraphs
        )


def add_examples(parser: argparse.ArgumentParser, words: tuple[str, ...] = ()) -> None:
    """Below the help of each verb; those that have an epilog of their own keep it, too. Where --host was
    only taken before the last word, it is after that, too.
    """
    name = " ".join(words)
    if words and (name in EXAMPLES or parser.epilog is None):
        examples = (
            ["\n".join(["examples:", *(f"  {each}" for each in EXAMPLES[name])])] if name in EXAMPLES else []
        )
        parser.epilog = "\n\n".join([*examples, parser.epilog or CODES])
        parser.formatter_class = Manual
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction) and words != ("session",):
            for verb, each in action.choices.items():
                if verb != "session":
                    # `barista input ls --host gpu01`: likewise.
                    if words and words != ("host",) and "--host" not in each._option_string_actions:
                        add_where(each)
                    add_examples(each, (*words, verb))
