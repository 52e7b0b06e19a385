"""Ways to learn from unlabelled ultrasound: each a file that reads like its paper."""
