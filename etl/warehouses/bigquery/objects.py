"""Cloud Storage, through which loads go where ``warehouse.staging`` names a place in it.

Google's client sends everything to ``STORAGE_EMULATOR_HOST`` (``http://host:port``) where that is set.
"""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Any

from google.cloud import bigquery

from etl.errors import ConfigError, WarehouseError
from etl.warehouses.bigquery.failures import ANY, translated

EMULATOR = "STORAGE_EMULATOR_HOST"


class Objects:
    """The files of one staging table in a bucket, until they are loaded."""

    def __init__(self, client: bigquery.Client, place: str, table: str, *, emulated: bool) -> None:
        """``place`` is ``gs://bucket/path``.

        Raises ``ConfigError`` where the package is missing, or where the warehouse is emulated and the place is not.
        """
        bucket, _, folder = place.removeprefix("gs://").partition("/")
        if emulated and not os.environ.get(EMULATOR):
            raise ConfigError(
                f"the warehouse is an emulator, but {place} is Google's", f"set {EMULATOR}, or leave staging empty"
            )
        try:
            storage = import_module("google.cloud.storage")  # only who names a bucket needs it
        except ImportError as error:
            raise ConfigError("warehouse.staging needs a package", "pip install google-cloud-storage") from error
        self._place = place
        self._bucket: Any = storage.Client(client.project, credentials=client._credentials).bucket(bucket)
        self._folder = "/".join(part for part in (folder.strip("/"), table) if part)
        self._names: list[str] = []

    @property
    def uris(self) -> list[str]:
        """What is there, as a load job is told it."""
        return [f"gs://{self._bucket.name}/{name}" for name in self._names]

    def upload(self, path: Path) -> None:
        """Upload a file; raises ``WarehouseError``."""
        name = f"{self._folder}/{path.name}"
        try:
            self._bucket.blob(name).upload_from_filename(path)
        except ANY as error:
            raise WarehouseError(
                f"{self._place} cannot be written: {translated(error).message}",
                "check the bucket and the right storage.objects.create, or leave warehouse.staging empty",
            ) from error
        self._names.append(name)

    def remove(self) -> None:
        """Delete what was uploaded; what is gone already is no error. Raises ``WarehouseError``."""
        names, self._names = self._names, []
        try:
            self._bucket.delete_blobs(names, on_error=lambda _: None)
        except ANY as error:
            raise WarehouseError(
                f"{self._place} cannot be cleaned: {translated(error).message}",
                f"check the right storage.objects.delete, and delete {self._folder} by hand",
            ) from error
