"""Regmi and Shah: the two-stream baseline and the three stages of the whole."""
