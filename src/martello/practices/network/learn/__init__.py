"""Policies learned from flows, and proved by replaying them."""
