"""Ways to show where and when a network's answer comes from, one a file."""
