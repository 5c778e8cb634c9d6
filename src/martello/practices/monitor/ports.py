"""What monitor asks of the world around it, as Protocols: `cli` hands the real ones in."""

from __future__ import annotations

from martello.core.sink import NotSent, Sink

__all__ = ["NotSent", "Sink"]
