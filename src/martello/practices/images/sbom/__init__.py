"""Bills of materials: CycloneDX 1.6 and SPDX 2.3 written, both and their kin read."""
