"""Keras layers of MGTL, one public layer a file."""
