"""Where the figures of training go."""
