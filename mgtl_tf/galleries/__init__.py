"""Descriptors of a gallery's aerial images, on disk."""
