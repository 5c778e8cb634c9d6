"""The rule engine: one tree for every language of rules, judged by event, by column and in SQL."""
