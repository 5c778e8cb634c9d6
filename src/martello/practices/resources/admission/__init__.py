"""Admission of objects by what they take: defaults, LimitRange, ResourceQuota, as the API server
has them.
"""
