"""Evidence: bytes of files that prove packages, one module a format. No I/O."""
