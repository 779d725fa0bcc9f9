"""Proof that two sets of rows are equal, and where they are not."""
