"""What must hold: the file of promises, and how they are judged."""
