"""What monitor tells: alerts of a log, what is wrong with rules, why one fired."""
