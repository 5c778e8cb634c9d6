"""The commands people type: options, configuration, targets, exit codes, progress."""
