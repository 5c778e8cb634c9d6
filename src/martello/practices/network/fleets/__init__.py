"""Several clusters: what they export, and who reaches whom across them."""
