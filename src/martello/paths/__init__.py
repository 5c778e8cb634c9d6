"""Attack paths: the facts of all practices joined, how far a foothold leads, and the cheapest cut.

`facts` reads a cluster, `find` gives the paths of footholds to goals in classes, `cut` the cheapest
set of edits that closes them, `diff` what a change opens and closes.
"""
