"""The compose file's essentials, as far as they can be seen without a container runtime."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text("utf-8")
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(TEXT)["services"]
VOLUMES: dict[str, Any] = yaml.safe_load(TEXT)["volumes"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_starts_with_all_it_depends_on(name: str) -> None:
    (profile,) = SERVICES[name]["profiles"]
    assert profile == name.partition("-")[0]
    for needed in SERVICES[name].get("depends_on", {}):
        assert SERVICES[needed]["profiles"] == [profile]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_reached_from_this_machine_only(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", ()))


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_mounts_is_there(name: str) -> None:
    for mount in SERVICES[name].get("volumes", ()):
        source = mount.partition(":")[0]
        assert (ROOT / source).is_file() if source.startswith(".") else source in VOLUMES


def test_every_secret_is_asked_for_and_none_has_a_default() -> None:
    head, _, body = TEXT.partition("\nname: etl\n")
    secrets = {name for name in re.findall(r"\$\{(\w+)", body) if re.search("PASSWORD|SECRET|KEY", name)}
    required = set(re.findall(r"\$\{(\w+):\?", body))
    assert secrets
    assert secrets <= required
    # What is asked for, the head says how to make up.
    assert all(name in head for name in required)


def test_an_image_is_named_by_version() -> None:
    for service in SERVICES.values():
        assert "build" in service or re.search(r":\d", service["image"])


def test_sql_server_is_set_up_as_a_source() -> None:
    server, init = SERVICES["sqlserver"], SERVICES["sqlserver-init"]
    assert server["environment"]["MSSQL_COLLATION"] == "Latin1_General_100_CI_AS_SC_UTF8"
    assert server["healthcheck"]
    assert init["depends_on"] == {"sqlserver": {"condition": "service_healthy"}}
    sql = (ROOT / "docker/sqlserver-init.sql").read_text("utf-8")
    assert "SET ALLOW_SNAPSHOT_ISOLATION ON" in sql
    assert "SET READ_COMMITTED_SNAPSHOT ON" in sql
    assert re.findall(r"ALTER ROLE (\w+)", sql) == ["db_datareader"]
    # sqlcmd replaces names by environment variables, in comments too: each must be given.
    assert set(re.findall(r"\$\((\w+)\)", sql)) <= set(init["environment"])


def test_what_the_image_copies_is_let_through() -> None:
    dockerfile = (ROOT / "docker/airflow.Dockerfile").read_text("utf-8")
    ignore = (ROOT / "docker/airflow.Dockerfile.dockerignore").read_text("utf-8").splitlines()
    for line in re.findall(r"^COPY (.+) \S+$", dockerfile, re.MULTILINE):
        for name in line.split():
            assert (ROOT / name).exists()
            assert f"!{name}" in ignore
