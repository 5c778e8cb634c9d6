"""Rules judged before they run: can they fire, do they overlap, their cost, their tests."""
