"""Tests of sensors: one container and one sensor for all of them, ended with the last of them."""
