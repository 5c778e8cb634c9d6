"""Signatures and attestations: cosign's shapes, in-toto statements, Sigstore bundles."""
