"""The blast radius: the most that a hostile container can take, and who is hurt by it."""
