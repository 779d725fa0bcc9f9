"""Pure text: how each engine quotes, types, renders and sums. No driver is imported here."""
