"""What the tests of the network practice share: an oracle, random clusters, real packets."""
