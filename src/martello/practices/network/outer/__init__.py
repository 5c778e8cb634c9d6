"""The ways in from outside: Services, ingress, openings, and what strangers reach."""
