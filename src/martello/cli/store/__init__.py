"""What the commands of the store share."""
