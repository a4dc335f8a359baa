"""What `barista` can do without a screen, one module a kind of verb."""
