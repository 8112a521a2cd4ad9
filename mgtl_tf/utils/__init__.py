"""Reading files: JSON, arrays, lists; each kind in one way."""
