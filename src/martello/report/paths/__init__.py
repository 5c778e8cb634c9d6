"""Reports of attack paths: the list, the cut, what a change opens."""
