#!/usr/bin/env python3
"""The caffe that trains nothing, which ships with the agent for its self-test: see there for its manners."""

import sys

from barista_server.doctor.scripted import main

if __name__ == "__main__":
    sys.exit(main())
