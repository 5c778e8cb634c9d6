"""x"""
import contextlib
@contextlib.contextmanager
def open_facts(state):
    yield None
