"""One door, judges in order, one verdict: whether an object may enter the cluster."""
