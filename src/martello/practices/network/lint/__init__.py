"""Policies looked at together: what conflicts, what is shadowed, what they select."""
