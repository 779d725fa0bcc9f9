"""What the data is: logical types, tables, the worlds' schemas and how engines spell them."""
