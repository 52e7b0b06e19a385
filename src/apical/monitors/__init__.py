"""How good features are while training runs, without a downstream task."""
