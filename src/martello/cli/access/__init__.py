"""What the commands of `martello access` share: who asks, what is asked, and in which world."""
