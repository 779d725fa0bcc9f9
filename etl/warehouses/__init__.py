"""Connections one can load into."""
