"""Monitor's commands: what they read, ask and tell."""
