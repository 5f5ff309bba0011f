"""Tokens of the HTTP API: who may submit, read and operate. Redis holds their digests, and never a token itself."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING

from jobs import keys
from jobs.store import read

if TYPE_CHECKING:
    from arq.connections import ArqRedis

_PREFIX = "pot_"  # planet-orders token: so that people and scanners know one when they see it


class Scope(StrEnum):
    """What a token allows."""

    SUBMIT = "submit"  # put requests into the queue, which spends money
    READ = "read"  # see runs, batches, workers and their events
    OPERATE = "operate"  # cancel and retry


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it is kept.

    Attributes:
        id: the start of its digest; nobody can make the token from it.
        name: whose it is; the history of a run names it.
    """

    id: str
    name: str
    scopes: frozenset[Scope]
    created_at: datetime


async def create_token(redis: ArqRedis, name: str, scopes: Iterable[Scope]) -> str:
    """Make a token and return it: this once, since only its digest is kept."""
    text = _PREFIX + secrets.token_urlsafe(32)
    record = {"name": name, "scopes": sorted(set(scopes)), "created_at": datetime.now(UTC).isoformat()}
    await read(redis.hset(keys.TOKENS, _digest(text), json.dumps(record)))
    return text


async def list_tokens(redis: ArqRedis) -> list[Token]:
    """Every token, the oldest first."""
    records = await read(redis.hgetall(keys.TOKENS))
    tokens = [_token(digest.decode(), record) for digest, record in records.items()]
    return sorted(tokens, key=lambda token: (token.created_at, token.id))


async def revoke_token(redis: ArqRedis, token_id: str) -> Token | None:
    """Take a token back, from this moment on; returns it, or None where no token has this id."""
    for token in await list_tokens(redis):
        if token.id == token_id:
            digests = await read(redis.hkeys(keys.TOKENS))
            await read(redis.hdel(keys.TOKENS, *(each for each in digests if each.decode().startswith(token_id))))
            return token
    return None


async def find_token(redis: ArqRedis, text: str) -> Token | None:
    """The token that somebody shows, if there is one."""
    digest = _digest(text)
    record = await read(redis.hget(keys.TOKENS, digest))
    return _token(digest, record) if record else None


async def has_tokens(redis: ArqRedis) -> bool:
    """Whether any token was made that has not been revoked."""
    return bool(await redis.exists(keys.TOKENS))


def _digest(text: str) -> str:
    """A token is 32 random bytes, so that a plain digest cannot be turned back, and needs no salt."""
    return sha256(text.encode(errors="replace")).hexdigest()


def _token(digest: str, record: str | bytes) -> Token:
    said = json.loads(record)
    scopes = frozenset(scope for scope in Scope if scope in said["scopes"])
    return Token(digest[:12], said["name"], scopes, datetime.fromisoformat(said["created_at"]))
