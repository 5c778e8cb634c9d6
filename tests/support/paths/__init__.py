"""Small worlds for tests of paths."""
