"""Processes that are forked from a server in which the toolkit has been imported, which saves each of them seconds.

Only what is installed can be imported there: that server does not know pytest's ``pythonpath``
(https://docs.python.org/3.11/library/multiprocessing.html#contexts-and-start-methods).
"""

from __future__ import annotations

from multiprocessing import get_context

PROCESSES = get_context("forkserver")
PROCESSES.set_forkserver_preload(["etl.session", "etl.sources.sqlite", "etl.sources.postgres", "etl.warehouses.duckdb"])
