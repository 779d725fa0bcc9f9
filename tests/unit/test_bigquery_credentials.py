"""Whom Google is asked as: a key as a file or as text, the application's default, or nobody beside an emulator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth.credentials import AnonymousCredentials

from etl.config import Config, load
from etl.errors import ConfigError
from etl.warehouses.bigquery.client import EMULATOR, STORAGE_EMULATOR, Clients, clients, place_of

PLACE = place_of("bigquery://my-project/shop?location=EU")
SCOPE = "https://www.googleapis.com/auth/cloud-platform"


@pytest.fixture(scope="module")
def key() -> dict[str, str]:
    """A service account's key as Google hands it out, of an account that nobody has."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    text = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return {
        "type": "service_account",
        "project_id": "elsewhere",
        "private_key_id": "1",
        "private_key": text.decode(),
        "client_email": "etl@elsewhere.iam.gserviceaccount.com",
        "token_uri": "https://oauth2.googleapis.com/token",
    }


@pytest.fixture(autouse=True)
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that names neither an emulator nor an account, on a machine that has none of its own."""
    for name in (EMULATOR, STORAGE_EMULATOR, "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_CLOUD_PROJECT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "gcloud"))
    monkeypatch.setenv("NO_GCE_CHECK", "true")


def _connected(credentials: str | None = None) -> Clients:
    warehouse = {"url": "bigquery://my-project/shop"} | ({"credentials": credentials} if credentials else {})
    return clients(PLACE, Config.model_validate({"warehouse": warehouse}).warehouse)


def _assert_is(found: Clients, key: dict[str, str]) -> None:
    for credentials in (found.credentials, found.rest._credentials):
        assert credentials.service_account_email == key["client_email"]
        assert SCOPE in credentials.scopes
    assert found.rest.project == "my-project"  # the URL's, not the key's
    assert found.rest.location == "EU"
    assert found.storage is not None
    assert not found.emulated
    assert found.rest._connection.API_BASE_URL == "https://bigquery.googleapis.com"
    found.close()


def test_a_key_as_a_file_and_as_text(key: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "key.json"
    file.write_text(json.dumps(key))
    _assert_is(_connected(str(file)), key)
    _assert_is(_connected(json.dumps(key)), key)


def test_the_variable_of_googles_own_tools(
    key: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key.json"
    file.write_text(json.dumps(key))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    _assert_is(_connected(), key)


def test_ones_own_variable_stands_above_the_file(key: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "etl.toml"
    file.write_text('warehouse = { url = "bigquery://p/a", credentials = "gone.json" }')
    config = load(file, {"ETL_WAREHOUSE_CREDENTIALS": json.dumps(key)})
    _assert_is(clients(PLACE, config.warehouse), key)


def test_without_any_the_message_says_how_to_get_some() -> None:
    with pytest.raises(ConfigError, match="no credentials") as refused:
        _connected()
    assert "gcloud auth application-default login" in refused.value.remedy


@pytest.mark.parametrize("broken", ['{"private_key": "secret-part"}', "{secret-part", "/nowhere/secret-part.json"])
def test_a_key_that_cannot_be_read_is_not_repeated(broken: str) -> None:
    with pytest.raises(ConfigError, match=r"warehouse\.credentials cannot be read") as refused:
        _connected(broken)
    assert "secret-part" not in refused.value.message


def test_an_emulator_is_asked_as_nobody(key: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(EMULATOR, "127.0.0.1:1")
    found = _connected(json.dumps(key))
    assert isinstance(found.credentials, AnonymousCredentials)
    assert isinstance(found.rest._credentials, AnonymousCredentials)
    assert found.rest._connection.API_BASE_URL == "http://127.0.0.1:1"
    assert found.storage is None  # rather than Google's
    monkeypatch.setenv(STORAGE_EMULATOR, "127.0.0.1:2")
    storage: Any = _connected().storage
    assert storage.transport.grpc_channel._channel.target().decode().endswith("127.0.0.1:2")
