"""The shared words: objects, workloads, selectors, clusters, checks, findings, waivers, errors. No
I/O.
"""
