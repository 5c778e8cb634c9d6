"""Reports of access: answers, holders, lists, changes, and what may be trimmed."""
