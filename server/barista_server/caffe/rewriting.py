"""The text of an old net written anew in the current form."""

import re

from barista_server.caffe.edit import EditError
from barista_server.caffe.errors import NetError
from barista_server.caffe.prototxt import to_text
from barista_server.caffe.schema import NetParameter
from barista_server.caffe.tolerant import parse_tolerant
from barista_server.caffe.upgrade import upgrade_net

_HEAD = re.compile(r"\ufeff?(?:[ \t]*(?:#[^\n]*)?\n)*")


def renewed(text: str, path: str) -> tuple[str, list[str]]:
    """The net in the form of Caffe 1.0, and what Caffe says of that; path: how it calls the file.

    Comments stay at the top only. Raises PrototxtError, EditError where nothing is old or something would
    be lost.
    """
    net, unknown = parse_tolerant(text, NetParameter)
    if unknown:
        names = ", ".join(dict.fromkeys(one.name for one in unknown))
        raise EditError(f"fields of forks would be lost: {names}")
    try:
        notes = upgrade_net(net, path)
    except NetError as error:
        raise EditError(str(error)) from None
    if not notes:
        raise EditError("it is in the current form already")
    head = _HEAD.match(text)
    return (head.group() if head else "") + to_text(net), notes
