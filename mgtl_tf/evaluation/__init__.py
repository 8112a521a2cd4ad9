"""Descriptors, recall and cost of a model."""
