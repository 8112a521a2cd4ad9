"""How probable it is that an answer is right."""
