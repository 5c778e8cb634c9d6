"""Container registries, spoken to by the OCI distribution specification. Import the module that is
wanted: this package loads nothing by itself.
"""
