"""What benchmarks.record wrote: speed, memory and how they grow."""
