"""`planet-orders token`: tokens are shown once, listed without themselves, and taken back."""

from __future__ import annotations

import json

import pytest
from redis import Redis

from jobs import keys
from tests.integration.cli.terminal import Command


def test_a_token_is_shown_once_and_can_be_taken_back(command: Command, empty_redis: Redis) -> None:
    made = command("token", "create", "nightly import", "--scope", "submit", "--scope", "read")
    token = made.out.strip()
    assert (made.status, token.startswith("pot_"), token in made.err) == (0, True, False)

    (listed,) = json.loads(command("token", "list", "--json").out)
    assert (listed["name"], listed["scopes"]) == ("nightly import", ["read", "submit"])
    assert token not in str(empty_redis.hgetall(keys.TOKENS))
    assert "nightly import" in command("token", "list").out

    revoked = command("token", "revoke", listed["id"])
    assert revoked.status == 0
    assert "the last" in revoked.err
    assert command("token", "list").out == ""


def test_a_token_as_json_has_its_scopes(command: Command) -> None:
    made = json.loads(command("token", "create", "import", "--scope", "submit", "--scope", "read", "--json").out)
    assert made.keys() == {"name", "scopes", "token"}
    assert made["scopes"] == ["read", "submit"]


def test_an_id_that_is_not_there_is_refused(command: Command) -> None:
    refused = command("token", "revoke", "nobody")

    assert refused.status == 1
    assert "planet-orders token list" in refused.err


@pytest.mark.parametrize(
    "arguments", [("x",), ("x", "--scope", "all"), (" ", "--scope", "read"), ("\n", "--scope", "read")]
)
def test_a_token_has_a_name_and_a_scope(command: Command, empty_redis: Redis, arguments: tuple[str, ...]) -> None:
    assert command("token", "create", *arguments).status == 2
    assert not empty_redis.exists(keys.TOKENS)
