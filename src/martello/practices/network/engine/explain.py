"""Explanations, under the name of the engine."""

from martello.practices.network.explain import explain

__all__ = ["explain"]
