"""The slow interpreter that explains an evaluation, and is the oracle of the compiler."""
