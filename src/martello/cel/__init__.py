"""The Common Expression Language as Kubernetes speaks it, compiled to Python. Knows nothing of
Martello.
"""
