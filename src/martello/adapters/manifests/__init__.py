"""Kubernetes manifests: YAML and JSON files, directories and standard input, read as the API server
reads them.
"""

from martello.adapters.manifests.document import Document, Parsed
from martello.adapters.manifests.limits import Limits
from martello.adapters.manifests.origin import FileOrigin
from martello.adapters.manifests.parse import parse_documents
from martello.adapters.manifests.read import read_paths, read_texts

__all__ = [
    "Document",
    "FileOrigin",
    "Limits",
    "Parsed",
    "parse_documents",
    "read_paths",
    "read_texts",
]
