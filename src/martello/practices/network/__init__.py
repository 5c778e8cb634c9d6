"""Network: who can talk to whom, and rules that allow just that."""
