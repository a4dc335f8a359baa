"""The command line of `barista edit`."""

from __future__ import annotations

import argparse
from pathlib import Path

from barista_tui.verbs.arguments import Verbs, add_json, add_session, add_verb, at_least

_EPILOG = """\
examples:
  barista edit mine solver                                  the text in $VISUAL or $EDITOR
  barista edit mine solver --set base_lr=0.001 --set stepvalue=500,900
  barista edit mine net --set layer.conv1.convolution_param.num_output=30
  barista edit mine net --unset layer.conv1.param[1].lr_mult
  barista edit mine net --layer digits --input mnist-train  a dataset for a data layer, see: barista input ls
  barista edit mine net --add-layer ReLU --layer ip1        behind it; see --copy-layer and --remove-layer too
  barista edit mine net --print > net.prototxt              the text, byte for byte; --file brings one in

A field is named as in the file, with dots; layer.NAME or layer[3] is a layer. All of a call
is done, or nothing.

exit codes: see barista --help
"""


def add_edit(verbs: Verbs[argparse.ArgumentParser]) -> None:
    edit = add_verb(verbs, "edit", "change a session's net or solver: fields, the text, or undo")
    edit.formatter_class = argparse.RawDescriptionHelpFormatter
    edit.epilog = _EPILOG
    add_session(edit)
    edit.add_argument("which", choices=["net", "solver"], metavar="net|solver", help="which of its two files")
    how = edit.add_argument_group("how; without any of these in an editor")
    how.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="may be repeated")
    how.add_argument("--unset", action="append", default=[], metavar="FIELD", help="leave it out")
    how.add_argument(
        "--file", type=Path, metavar="FILE", help="take the text of this file; -: standard input"
    )
    how.add_argument(
        "--add-layer",
        metavar="TYPE",
        help="a new one behind --layer, or the last; those that follow read it",
    )
    how.add_argument("--copy-layer", action="store_true", help="double the --layer; the copy is behind it")
    how.add_argument("--remove-layer", action="store_true", help="take the --layer out")
    how.add_argument("--layer", metavar="NAME", help="name, or [3], for these, --input and --form")
    how.add_argument("--called", metavar="NAME", help="name of the layer that is added or copied")
    how.add_argument("--input", metavar="DATASET", help="number, name or content id of a dataset there")
    how.add_argument("--undo", type=at_least(1), nargs="?", const=1, metavar="N", help="take back the last")
    how.add_argument("--redo", type=at_least(1), nargs="?", const=1, metavar="N", help="do it again")
    how.add_argument("--renew", action="store_true", help="write an old net anew in the form of Caffe 1.0")
    how.add_argument("--form", action="store_true", help="list the fields; with --layer those of a layer")
    how.add_argument("--print", action="store_true", help="print the text as it is")
    edit.add_argument("--check", action="store_true", help="only tell what would be wrong, with --file")
    edit.add_argument("--anyway", action="store_true", help="even if it cannot be started as it is then")
    add_json(edit)
