"""x"""

import contextlib


@contextlib.contextmanager
def open_facts(state):
    yield None


def record(state, judgements):
    pass
