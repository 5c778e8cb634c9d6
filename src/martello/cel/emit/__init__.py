"""From checked trees to Python code."""
