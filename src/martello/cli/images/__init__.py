"""What the commands for images share: targets, settings, the way from bytes to a verdict."""
