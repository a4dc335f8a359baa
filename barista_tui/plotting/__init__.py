"""Plots, pure: windows of metrics in; cells of a terminal, SVG, PNG or words out."""
