"""Advised sizes for people and programs."""
