"""Network inputs decoded once, kept on disk, read by many runs."""
