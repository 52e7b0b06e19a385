"""How alike two masks are: one figure a metric."""
