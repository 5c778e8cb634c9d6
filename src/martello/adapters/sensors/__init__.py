"""What sensors tell: events of nodes and containers, by column of core/event.py, and gaps."""
