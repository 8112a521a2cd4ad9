"""A seeded make-believe town, seen from above and from its streets."""
