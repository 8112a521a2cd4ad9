"""The paper's tables: its figures, our runs, and both side by side."""
