"""The worlds: synthetic databases with a specification, deterministic from a seed."""
