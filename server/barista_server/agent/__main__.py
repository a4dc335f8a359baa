"""``python -m barista_server.agent``."""

import sys

from barista_server.agent.cli import main

sys.exit(main())
