"""Pictures of the running program: ``python -m screenshots`` makes every file in this folder anew."""
