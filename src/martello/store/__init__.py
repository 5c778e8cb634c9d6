"""What is kept: state in SQLite or PostgreSQL, the approval ledger, leases, facts of layers."""
