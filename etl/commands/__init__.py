"""The subcommands of `etl`, by theme: each is a few lines that open a session and show what came of it.

A command imports what it needs when it runs, so that `etl --help` is there at once.
"""
