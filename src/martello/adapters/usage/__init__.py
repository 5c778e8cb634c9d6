"""Measured use of containers from elsewhere than Prometheus: files, and the snapshots of
metrics-server, which are kept in a file.
"""
