"""Measurements, as ratios against a peer or a naive baseline in the same run."""
