"""Audit logs of the API server, read from what files and clouds keep, into `AuditEvent`."""
