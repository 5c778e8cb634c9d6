"""What a node does with its pods: quality of service, shares, eviction, the kernel's kills."""
