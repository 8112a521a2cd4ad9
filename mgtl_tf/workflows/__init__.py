"""The rooms put together: what each program of experiments/ does."""
