"""A root with an agent, as in the agent's tests."""

from tests.agent.conftest import root, watcher

__all__ = ["root", "watcher"]
