"""Runs the modules of this package that have a ``run()``, all or those named, and prints their results.

``--quick`` shortens those that can be: enough to see whether they work, too little to promise anything.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import sys
from pathlib import Path


def main(names: list[str]) -> int:
    known = sorted(module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)]))
    known.remove("__main__")
    quick = "--quick" in names
    names = [name for name in names if name != "--quick"]
    if unknown := [name for name in names if name not in known]:
        print(f"no benchmark {', '.join(unknown)}; there are: {', '.join(known)}", file=sys.stderr)
        return 2
    for name in names or known:
        run = getattr(importlib.import_module(f"benchmarks.{name}"), "run", None)
        if run is not None:
            print(f"{name}", flush=True)
            options = {"quick": True} if quick and "quick" in inspect.signature(run).parameters else {}
            for line in run(**options):
                print(f"  {line}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
