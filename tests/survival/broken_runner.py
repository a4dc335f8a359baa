"""The runner, killed at the step BREAK_AT of what it does to files: in the place of runner.py."""

import os
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "server")]

from crashing import Breaker  # type: ignore[import-not-found]  # noqa: E402

from barista_server import runner  # noqa: E402

if __name__ == "__main__":
    # What it names in its own folder is relative.
    Breaker(".", int(os.environ["BREAK_AT"]), "kill").armed = True
    sys.exit(runner.main(sys.argv[1], *map(int, sys.argv[2:])))
