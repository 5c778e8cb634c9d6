"""The policy dialects, each read into the one model."""
