"""What a node does with the pods on it: quality of service, shares, eviction, the kernel's kills."""
