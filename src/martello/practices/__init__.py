"""The five practices. None of them knows another."""
