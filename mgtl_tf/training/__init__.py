"""The inner step, the outer loop, and what a run writes."""
