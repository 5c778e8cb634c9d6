"""What people and machines read: one module a format, each with `write(report, out)`."""
