"""Reports, plots and pictures of results."""
