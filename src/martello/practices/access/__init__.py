"""Access: who can do what, and what a container may do to its node."""
