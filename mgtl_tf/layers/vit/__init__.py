"""Vision transformers: blocks, tokens, and what is read of them."""
