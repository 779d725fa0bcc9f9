"""Connections: to Google with somebody's credentials, or to an emulator with nobody's and nothing to Google.

``BIGQUERY_EMULATOR_HOST`` (``http://host:port``) is the emulator's REST endpoint, a variable that
Google's own client knows; ``BIGQUERY_STORAGE_EMULATOR_HOST`` (``host:port``) is its gRPC endpoint, from
which rows are read if it is set.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote

import pyarrow as pa

from etl.config import WarehouseConfig
from etl.errors import ConfigError
from etl.urls import split, without_password

try:
    import grpc
    from google.api_core.client_options import ClientOptions
    from google.auth.credentials import AnonymousCredentials
    from google.auth.exceptions import DefaultCredentialsError
    from google.cloud import bigquery, bigquery_storage_v1
    from google.cloud.bigquery_storage_v1.services.big_query_read.transports import BigQueryReadGrpcTransport
    from google.oauth2 import service_account
except ImportError as missing:
    raise ConfigError(
        f"BigQuery needs a package that is not installed: {missing.name}", "pip install 'multi-warehouse-etl[bigquery]'"
    ) from missing

EMULATOR = "BIGQUERY_EMULATOR_HOST"
STORAGE_EMULATOR = "BIGQUERY_STORAGE_EMULATOR_HOST"
_PREFIX = re.compile(r"\w{1,1000}", re.ASCII)
_PROJECT = re.compile(r"([a-z0-9.-]+:)?[a-z0-9]([a-z0-9-]*[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Place:
    """What a ``bigquery://project/prefix?location=EU`` URL names; ``location`` is empty if it does not say."""

    project: str
    prefix: str
    location: str

    def dataset(self, room: str) -> str:
        """The dataset's name."""
        return f"{self.prefix}_{room}"


def place_of(url: str) -> Place:
    """Read a URL; raises ``ConfigError``."""
    parts = split(url)
    project, prefix = unquote(parts.netloc), unquote(parts.path).strip("/")
    options = parse_qs(parts.query)
    known = f"{without_password(url)} names no BigQuery warehouse"
    if not _PROJECT.fullmatch(project) or not _PREFIX.fullmatch(prefix):
        raise ConfigError(
            known, "write it as bigquery://project/prefix?location=EU; the prefix is letters, digits and _"
        )
    if unknown := sorted(options.keys() - {"location"}):
        raise ConfigError(f"{without_password(url)}: {unknown[0]} is no option", "the only one is location")
    return Place(project, prefix, options.get("location", [""])[0])


@dataclass(frozen=True, slots=True)
class Clients:
    """The REST client, and the one that reads rows as Arrow, which an emulator may not have."""

    rest: bigquery.Client
    storage: bigquery_storage_v1.BigQueryReadClient | None
    credentials: Any
    emulated: bool

    def close(self) -> None:
        """End their connections."""
        self.rest.close()
        if self.storage:
            self.storage.transport.close()


def clients(place: Place, settings: WarehouseConfig) -> Clients:
    """Connect; raises ``ConfigError`` where there are no credentials."""
    emulator = os.environ.get(EMULATOR)
    if emulator:
        endpoint = emulator if "://" in emulator else f"http://{emulator}"
        anonymous = AnonymousCredentials()
        options = ClientOptions(api_endpoint=endpoint)
        rest = bigquery.Client(place.project, credentials=anonymous, client_options=options)
        return Clients(rest, _emulated_storage(), anonymous, emulated=True)
    try:
        credentials = _credentials(settings)
        rest = bigquery.Client(place.project, credentials=credentials, location=place.location or None)
    except DefaultCredentialsError as error:
        raise ConfigError(
            "there are no credentials for Google Cloud",
            "run: gcloud auth application-default login, or name a key: GOOGLE_APPLICATION_CREDENTIALS",
        ) from error
    storage = bigquery_storage_v1.BigQueryReadClient(credentials=rest._credentials)
    return Clients(rest, storage, rest._credentials, emulated=False)


def _credentials(settings: WarehouseConfig) -> Any:
    """What the configuration names; None for the application's default."""
    if settings.credentials is None or not settings.credentials.get_secret_value():
        return None
    key = settings.credentials.get_secret_value()
    scopes = ["https://www.googleapis.com/auth/cloud-platform"]
    try:
        if key.lstrip().startswith("{"):
            return service_account.Credentials.from_service_account_info(json.loads(key), scopes=scopes)
        return service_account.Credentials.from_service_account_file(key, scopes=scopes)
    except (OSError, ValueError, KeyError) as error:
        # Its text may hold what it could not read, which may be a part of the key.
        raise ConfigError(
            f"warehouse.credentials cannot be read: {type(error).__name__}", "name a service account's key file"
        ) from error


def _emulated_storage() -> bigquery_storage_v1.BigQueryReadClient | None:
    address = os.environ.get(STORAGE_EMULATOR)
    if not address:
        return None
    options = [("grpc.max_receive_message_length", -1)]
    channel = grpc.insecure_channel(address.removeprefix("http://"), options=options)
    return bigquery_storage_v1.BigQueryReadClient(transport=BigQueryReadGrpcTransport(channel=channel))


def arrow_of(found: Any, storage: bigquery_storage_v1.BigQueryReadClient | None) -> pa.Table:
    """A result's rows; without the Storage API where there is none to ask, or it would go to Google."""
    if storage is None:
        return found.to_arrow(create_bqstorage_client=False)
    return found.to_arrow(bqstorage_client=storage)
