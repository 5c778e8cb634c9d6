"""Packet filters for nodes and clusters, compiled from the same model that answers questions: text
out, nothing is loaded here.
"""
