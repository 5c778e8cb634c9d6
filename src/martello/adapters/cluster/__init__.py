"""A live cluster, read through its API server. Import the module that is wanted: this package loads
nothing by itself.
"""
