"""Convolutional trunks of the peers, and what they are made of."""
