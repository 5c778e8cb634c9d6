"""The libraries of functions, one a module: each exports `LIBRARY`, a `types.Library`."""
