"""What stands where on one map of the synthetic world."""
