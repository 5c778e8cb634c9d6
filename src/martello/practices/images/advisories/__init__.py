"""Advisories: read from feeds, kept in one file, looked up by package."""
