"""Martello: Kubernetes security by five practices."""

__version__ = "0.1.0"
