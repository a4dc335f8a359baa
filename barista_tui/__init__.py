"""The screen of Barista, and the same verbs without one."""

__version__ = "0.1.0"
