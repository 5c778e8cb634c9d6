"""What the gate's commands share."""
