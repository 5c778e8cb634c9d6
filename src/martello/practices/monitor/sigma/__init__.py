"""Sigma rules: read by pySigma (extra `monitor`), evaluated by us."""

from martello.practices.monitor.sigma.read import load

__all__ = ["load"]
