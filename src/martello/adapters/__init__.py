"""The outside world, read into core and written back: manifests, the API server, bundles."""
