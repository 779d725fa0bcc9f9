"""What several commands take, and what they do with it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from etl import config
from etl.urls import with_password, without_password

log = logging.getLogger(__name__)

ConfigOption = Annotated[Path | None, typer.Option("--config", help="Configuration file; etl.toml if there is one.")]
Tables = Annotated[list[str] | None, typer.Argument(help="Tables; all of them if none is named.", metavar="[TABLE]…")]
CustomersOption = Annotated[
    int | None, typer.Option(help="How large a world; the number its specification is for if not given.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON and nothing else on standard output.")]


def warn_of_passwords(*urls: str) -> None:
    """Say so where one of the ``urls`` typed has a password in it."""
    if any(without_password(url) != url for url in urls):
        log.warning("a password on the command line can be read by others; set ETL_SOURCE_PASSWORD instead")


def completed(url: str, settings: config.Config) -> str:
    """The URL of a world with the source's configured password."""
    password = settings.source.password
    return with_password(url, password.get_secret_value() if password else None)
