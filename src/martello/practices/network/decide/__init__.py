"""What the policies say of one connection, whether its pods are there or yet to come."""
