"""Measured use made small: histograms, clean series, and what each container asks for over time."""
