"""Monitor: what is logged, what would be seen, and what is told.

`engine` evaluates rules, `own`, `falco` and `sigma` read them (`packs` all three), `validation`
judges them, `rules` holds the default ones, `baseline` knows what is usual, `alerts` and `noise`
make of hits what people hear, `checks` judge how a cluster logs; `pipeline` joins them all over
batches.
"""
