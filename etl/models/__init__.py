"""Models over the marts: what is learned from the past, and how well it would have foretold what is known by now.

``catalog`` reads their SQL, ``bigquery`` spells it for BigQuery ML; the others are the local twin,
which needs the extra ``models``.
"""
