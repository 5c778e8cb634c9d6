"""The analyser: places in classes, ports and addresses in atoms, policies in rows of masks."""
