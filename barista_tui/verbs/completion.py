"""The verb that prints a completion script."""

from __future__ import annotations

import argparse
import sys

from barista_tui.completion import script
from barista_tui.verbs.errors import Exit


async def completion(args: argparse.Namespace) -> Exit:
    """Print the script for one shell."""
    sys.stdout.write(script(args.shell))
    return Exit.OK
