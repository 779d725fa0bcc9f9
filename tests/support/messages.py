"""What a message to people must be."""

from __future__ import annotations

import re

from support.commands import Done

_ERROR = re.compile(r"^(error: |╭─ Error )", re.MULTILINE)


def assert_one_clear_error(done: Done, code: int, *words: str) -> None:
    """One error of two sentences on standard error, the exit code, no traceback, and every word in it."""
    text = done.out + done.err
    assert "Traceback" not in text
    assert "unexpected" not in text, text
    assert done.code == code, text
    assert len(_ERROR.findall(done.err)) == 1, done.err
    flat = " ".join(done.err.split())
    for word in words:
        assert word in flat, done.err
