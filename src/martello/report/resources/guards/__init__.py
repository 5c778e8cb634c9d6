"""Guards with their proof, as text and JSON."""
