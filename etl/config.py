"""`etl.toml`, `.env` and the environment, as one checked value.

The environment stands above `.env`, `.env` above the file, the file above the defaults. Every value
has a variable of its own: ``[sync] max_delete_share`` is ``ETL_SYNC_MAX_DELETE_SHARE``.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from dotenv import dotenv_values
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from etl.errors import ConfigError
from schemas import types

DEFAULT_FILE = Path("etl.toml")
_SIZE = re.compile(r"\s*\d+(\.\d+)?\s*([kmgt]i?)?b\s*", re.IGNORECASE)
Share = Annotated[float, Field(ge=0, le=1)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceConfig(_Section):
    """Where rows come from."""

    url: str = ""
    password: SecretStr | None = None


class WarehouseConfig(_Section):
    """Where rows go. ``memory_limit`` bounds DuckDB; ``wait_seconds`` how long a table in use is waited for.

    The rest is BigQuery's: ``credentials`` is a service account's key, as a file or as its JSON,
    ``staging`` a place such as gs://bucket/path through which loads go, ``maximum_bytes_billed`` what
    one query may cost at the most. A lease ends ``lease_seconds`` after it was last renewed.
    """

    url: str = ""
    password: SecretStr | None = None
    memory_limit: str = "2GB"
    wait_seconds: Annotated[float, Field(ge=0)] = 600
    credentials: SecretStr | None = None
    staging: Annotated[str, Field(pattern=r"^(gs://[^/]+(/.*)?)?$")] = ""
    maximum_bytes_billed: str = ""
    lease_seconds: Annotated[float, Field(ge=1)] = 60

    @field_validator("memory_limit", "maximum_bytes_billed")
    @classmethod
    def _size(cls, value: str) -> str:
        if value and not _SIZE.fullmatch(value):
            raise ValueError(f"{value!r} is no size, such as 2GB or 512MiB")
        return value


class SyncConfig(_Section):
    """How tables are kept current.

    ``repair`` brings what the proof finds different; a table stops when more than
    ``max_delete_share`` of its rows would be deleted, and is loaded anew when more than
    ``reload_share`` of them differ. A table proven by partitions passes the gate only while none
    has gone unproven for more than ``max_unchecked_days``. ``accept_moving`` lets tables pass that were
    compared while the source moved, since it gives no consistent read. With ``jobs`` over 1, tables of
    more than ``range_rows`` rows are loaded by ranges of about that many, so many of them at once.
    """

    repair: bool = True
    max_delete_share: Share = 0.3
    reload_share: Share = 0.1
    max_unchecked_days: Annotated[float, Field(ge=0)] = 7
    accept_moving: bool = False
    jobs: Annotated[int, Field(ge=1, le=64)] = 1
    range_rows: Annotated[int, Field(ge=1)] = 1_000_000


class PublishConfig(_Section):
    """Which queries are built as marts: the folder ``queries/<world>``."""

    world: str = "hopify"


class TableConfig(_Section):
    """What is to be different for one table from what reflection found.

    ``cursor`` is a column's name or ``full``; ``columns`` gives logical types by column name.
    ``verify`` is what each sync proves: the whole table, the partitions it touched, or those and one
    ``rotate``-th of the rest in turn. ``partition`` divides the table, by months if it is a date, by
    runs of ``partition_size`` if it is an integer. On BigQuery the table is stored so too, by each
    ``partition_unit`` of a date, clustered by ``cluster`` or else by its key, and
    ``require_partition_filter`` refuses queries that name no partition.
    ``deletes`` says whether rows that are gone from the source go from the copy too, or stay in it with a
    ``_deleted_at``; with ``history`` every version of a row is kept in ``raw_history``.
    """

    exclude: bool = False
    key: tuple[str, ...] | None = None
    cursor: str | None = None
    columns: dict[str, str] = Field(default_factory=dict)
    verify: Literal["full", "touched", "rotate"] = "full"
    partition: str | None = None
    partition_size: Annotated[int, Field(ge=1)] = 1_000_000
    partition_unit: Literal["hour", "day", "month", "year"] = "month"
    rotate: Annotated[int, Field(ge=1)] = 10
    deletes: Literal["hard", "soft"] = "hard"
    history: bool = False
    cluster: Annotated[tuple[str, ...], Field(max_length=4)] | None = None
    require_partition_filter: bool = False

    @field_validator("columns")
    @classmethod
    def _known_types(cls, value: dict[str, str]) -> dict[str, str]:
        for spelling in value.values():
            types.parse(spelling)
        return value


class Config(_Section):
    """Everything that can be configured."""

    source: SourceConfig = SourceConfig()
    warehouse: WarehouseConfig = WarehouseConfig()
    sync: SyncConfig = SyncConfig()
    publish: PublishConfig = PublishConfig()
    tables: dict[str, TableConfig] = Field(default_factory=dict)


def load(path: Path | None = None, environment: Mapping[str, str] | None = None) -> Config:
    """The configuration in ``path``, or in ``etl.toml`` if the working directory has one.

    Raises ``ConfigError`` that names the file or variable, the value and what is wrong with it.
    """
    if path is not None and not path.is_file():
        raise ConfigError(f"there is no configuration at {path}", "name another with --config, or write one: etl init")
    file = path or DEFAULT_FILE
    return _checked(_read(file) if file.is_file() else {}, file, environment)


def from_environment() -> Config:
    """What the environment and ``.env`` alone configure, for commands that come before there is a file."""
    return _checked({}, Path(".env"), None)


def _checked(values: dict[str, Any], file: Path, environment: Mapping[str, str] | None) -> Config:
    given = {**_env_file(), **(os.environ if environment is None else environment)}
    for section, field, variable in _variables():
        if given.get(variable) is not None:
            held = values.setdefault(section, {})
            if isinstance(held, dict):  # what else it may be, the model refuses
                held[field] = given[variable]
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError(_first_problem(error, file, given), "mend it and call again") from error


def _variables() -> Iterator[tuple[str, str, str]]:
    """Section, field and environment variable of every single value."""
    for section, info in Config.model_fields.items():
        model = info.annotation
        if isinstance(model, type) and issubclass(model, _Section):
            for field in model.model_fields:
                yield section, field, f"ETL_{section}_{field}".upper()


def _env_file() -> dict[str, str | None]:
    try:
        return dotenv_values(".env")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f".env cannot be read: {error}", "check its rights and that it is UTF-8 text") from error


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{file} is not valid TOML: {error}", "mend that line") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}", "check its rights and that it is UTF-8 text") from error


def _first_problem(error: ValidationError, file: Path, given: Mapping[str, str | None]) -> str:
    """Where the first problem lies and what it is; a secret's value is never repeated."""
    problem = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in problem["loc"])
    variable = "ETL_" + "_".join(str(part) for part in problem["loc"]).upper()
    origin = variable if variable in given else f"{file}: {place}"
    if problem["type"] == "extra_forbidden":
        return f"{origin} is not something that can be configured"
    return f"{origin}: {problem['msg'].removeprefix('Value error, ')}"
