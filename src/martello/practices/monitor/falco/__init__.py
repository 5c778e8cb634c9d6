"""Rules as Falco writes them: read, checked, and turned into the tree that every language shares.

Facts come from Falco's own sources (engine 0.63, libs of 2026); the numbers F1 to K6 of the design
stand at the tests.
"""
