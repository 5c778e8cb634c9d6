"""Resources: what a container may take, and what keeps serving."""
