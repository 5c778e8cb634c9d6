"""Other people's admission policies: read, matched and evaluated as the API server does it."""
