"""Monitor: what is logged, and what would be seen."""
