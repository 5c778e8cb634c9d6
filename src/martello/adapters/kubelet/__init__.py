"""What kubelets say of themselves: their configuration and the use of their pods, from the API
server's proxy to each node or from files.
"""
