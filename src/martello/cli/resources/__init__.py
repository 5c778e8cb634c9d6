"""What the resources commands do: read a world, ask the practice, tell the answer."""
