"""What the commands of `martello paths` share: the facts, the words, the findings."""
