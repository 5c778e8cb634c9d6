"""Sigma rules: read by pySigma (extra `monitor`), evaluated by us."""
