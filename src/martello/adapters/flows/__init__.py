"""Observed connections, read from what sensors and logs write, into `Flow`."""
