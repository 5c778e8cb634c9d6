"""Reports of the network practice: answers, matrices, differences and pictures."""
