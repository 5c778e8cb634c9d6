"""What people ask of one connection or pod: why, what would change it, how far it gets."""
