"""Ways to follow a gradient."""
