"""Requests and limits from measured use: advice, how sure it is, and what it would have done."""
