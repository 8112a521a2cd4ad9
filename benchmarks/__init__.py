"""What performance claims rest on: each prints a ratio from one run."""
