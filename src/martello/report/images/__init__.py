"""Reports of images: what is in them, what is wrong with it, which fix mends most."""
