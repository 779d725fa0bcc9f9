"""What the copy is for: marts built from queries, and the dashboard that shows them."""
