"""The checks of this practice, one file each."""
