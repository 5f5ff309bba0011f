"""Download links: the token that Planet gives out, and the signed address at the storage that it redirects to."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import jwt

from .clock import MICROSECONDS, Clock, as_datetime, format_time, parse_time

ORDERS_DOWNLOAD = "/compute/ops/download/"
DATA_DOWNLOAD = "/data/v1/download"
BUCKET = "/compute-orders-live"
_ALGORITHM = "HS512"


@dataclass(frozen=True, slots=True)
class Link:
    """A download link and the moment it ends."""

    location: str
    expires_at: str


class Links:
    """Mints links and checks them; a link is good for `ttl_s`, or until `expire_all`."""

    def __init__(self, clock: Clock, ttl_s: int, seed: int) -> None:
        self._clock, self._ttl_s = clock, ttl_s
        self._secret = hashlib.sha512(f"simulator links {seed}".encode()).hexdigest()
        self._minted = 0
        self._void_before = 0

    def expire_all(self) -> None:
        """Make every link given out so far one that has expired."""
        self._void_before = self._minted

    def mint(self, key: str, api_key: str, base_url: str, storage_url: str, path: str = ORDERS_DOWNLOAD) -> Link:
        """A new link to the object at `key`, by way of the download endpoint at `path`.

        Each call gives another one to the same bytes.
        """
        now_s = int(self._clock.now_s())
        expires_s = now_s + self._ttl_s
        claims = {
            "aoi": "",
            "assets": [{"asset_type": "", "item_id": "", "item_type": ""}],
            "exp": expires_s,
            "source": "Orders Service",
            "sub": hashlib.sha256(api_key.encode()).hexdigest()[:16],
            "token_type": "download-asset-stack",
            "url": self.sign(key, storage_url, now_s),
        }
        token = jwt.encode(claims, self._secret, algorithm=_ALGORITHM)
        return Link(f"{base_url}{path}?token={token}", format_time(expires_s * MICROSECONDS))

    def sign(self, key: str, storage_url: str, now_s: int) -> str:
        """A signed address of the object, of the form that Google's storage uses."""
        self._minted += 1
        path = f"{BUCKET}/{quote(key)}"
        date = as_datetime(now_s * MICROSECONDS).strftime("%Y%m%dT%H%M%SZ")
        text = (
            "X-Goog-Algorithm=GOOG4-RSA-SHA256"
            f"&X-Goog-Credential=simulator-{self._minted}%2F{date[:8]}%2Fauto%2Fstorage%2Fgoog4_request"
            f"&X-Goog-Date={date}&X-Goog-Expires={self._ttl_s}&X-Goog-SignedHeaders=host"
        )
        return f"{storage_url}{path}?{text}&X-Goog-Signature={self._signature(key, text)}"

    def read_token(self, token: str) -> str:
        """The storage address that a token stands for.

        Raises:
            ValueError: This is no token of ours.
            PermissionError: It was one, and has expired.
        """
        claims = self._read_claims(token)
        if claims is None:
            raise ValueError("not a download token")
        url = urlsplit(claims["url"])
        self.check_signature(unquote_key(url.path), url.query)
        return claims["url"]

    def read_key(self, token: str) -> str:
        """The key of the object that a token leads to, expired or not; empty for what is no token."""
        claims = self._read_claims(token)
        return unquote_key(urlsplit(claims["url"]).path) if claims else ""

    def read_account(self, token: str) -> str:
        """Whose account a token belongs to, without giving the API key away; empty for what is no token."""
        claims = self._read_claims(token)
        return claims["sub"] if claims else ""

    def _read_claims(self, token: str) -> dict[str, str] | None:
        try:
            claims: dict[str, str] = jwt.decode(
                token, self._secret, algorithms=[_ALGORITHM], options={"verify_exp": False}
            )
        except jwt.InvalidTokenError:
            return None
        return claims

    def check_signature(self, key: str, query: str) -> None:
        """Let pass what was signed here for this object and is still good; errors as `read_token`."""
        text, _, signature = query.rpartition("&X-Goog-Signature=")
        if not hmac.compare_digest(signature.encode(), self._signature(key, text).encode()):
            raise ValueError("the signature does not fit")
        values = dict(parse_qsl(text))
        signed_us = parse_time(values["X-Goog-Date"])
        number = int(values["X-Goog-Credential"].split("/")[0].rpartition("-")[2])
        expires_us = signed_us + int(values["X-Goog-Expires"]) * MICROSECONDS
        if number <= self._void_before or self._clock.now_us() >= expires_us:
            raise PermissionError("the link has expired")

    def _signature(self, key: str, text: str) -> str:
        return hmac.new(self._secret.encode(), f"{key}\n{text}".encode(), hashlib.sha256).hexdigest()


def unquote_key(path: str) -> str:
    """The object's key in a storage address's path."""
    return unquote(path).removeprefix(f"{BUCKET}/")


def storage_alias(base_url: str) -> str:
    """The same server under its other name, so that a redirect there crosses hosts; without another name, itself."""
    parts = urlsplit(base_url)
    other = {"127.0.0.1": "localhost", "localhost": "127.0.0.1"}.get(parts.hostname or "")
    if other is None:
        return base_url
    return f"{parts.scheme}://{other}:{parts.port}" if parts.port else f"{parts.scheme}://{other}"
