"""Who is asking, and may they: passwords, tokens, throttling and the one policy function."""
