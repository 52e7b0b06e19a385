"""Which frames an epoch shows."""
