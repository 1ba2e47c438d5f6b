"""What is wrong with a definition beyond its own grammar: names, types, limits of the services behind it."""
