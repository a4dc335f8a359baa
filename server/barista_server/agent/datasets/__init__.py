"""Datasets on the agent: the list, what is in them, content ids, search."""
