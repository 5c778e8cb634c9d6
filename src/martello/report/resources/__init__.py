"""What the resources commands show, on the screen and as JSON."""
