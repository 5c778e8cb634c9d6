"""Two states of a cluster, compared in what passes."""
