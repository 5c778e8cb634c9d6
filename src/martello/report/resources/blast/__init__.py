"""Reports of the blast radius: whom a workload can hurt, and what would stop it."""
