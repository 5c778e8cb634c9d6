"""Access: who can do what, and what a container may do to its node."""

from martello.practices.access.answers import Access, access

__all__ = ["Access", "access"]
