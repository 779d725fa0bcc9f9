"""Connections one can read from, each within one consistent snapshot."""
