"""Attack paths: the facts of all practices joined, how far a foothold leads, and the cheapest cut.

`facts` reads a cluster, `find` gives the paths of footholds to goals in classes, `cut` the cheapest
set of edits that closes them, `diff` what a change opens and closes.
"""

from martello.paths.diff import diff
from martello.paths.facts import Facts, facts
from martello.paths.find import Options, cut, find
from martello.paths.model import Cut, Inputs, PathClass

__all__ = ["Cut", "Facts", "Inputs", "Options", "PathClass", "cut", "diff", "facts", "find"]
