"""The rim of the network commands: what they read, ask and show."""
