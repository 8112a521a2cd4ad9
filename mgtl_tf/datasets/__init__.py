"""Records, readers, pixels, and the order in which training sees them."""
