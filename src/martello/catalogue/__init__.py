"""Every check of the house, found, compiled and run: scans, waivers, baselines, frameworks."""
