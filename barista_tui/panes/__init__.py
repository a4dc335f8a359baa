"""The panes of the main screen: the list and the tabs. See ``table.py`` for which there are."""
