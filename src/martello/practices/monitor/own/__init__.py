"""Martello's own rule language: YAML whose `when` is CEL over the columns of an event."""
