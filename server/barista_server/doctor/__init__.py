"""``barista-server doctor``: what this machine is fit for, and what a training survives on it."""
