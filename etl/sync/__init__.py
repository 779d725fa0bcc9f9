"""Moving what changed, and proving it."""
