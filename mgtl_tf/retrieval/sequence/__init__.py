"""Localizing the frames of one drive by a Bayes filter."""
