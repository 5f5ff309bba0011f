"""Logging in with e-mail and password."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator

import jwt
import pytest

from planet_sdk.auth import Auth, AuthClient
from planet_sdk.exceptions import APIError, AuthException, RequestError
from tests.integration.transport.conftest import KEY


class LoginServer(http.server.HTTPServer):
    """Answers logins with what the test put here."""

    answer: tuple[int, bytes] = (200, b"")
    asked: dict[str, str]
    path: str


class _Handler(http.server.BaseHTTPRequestHandler):
    server: LoginServer

    def do_POST(self) -> None:
        self.server.path = self.path
        self.server.asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, body = self.server.answer
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoginServer]:
    with LoginServer(("127.0.0.1", 0), _Handler) as server:
        monkeypatch.setenv("PL_API_URL", f"http://127.0.0.1:{server.server_port}/")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def token(claims: dict[str, str]) -> bytes:
    return json.dumps({"token": jwt.encode(claims, "a key that nobody here knows, long enough")}).encode()


def test_a_login_gives_the_key_of_the_account(service: LoginServer) -> None:
    service.answer = 200, token({"api_key": KEY, "sub": "x"})

    assert Auth.from_login("me@planet.example", "secret").value == KEY
    assert service.asked == {"email": "me@planet.example", "password": "secret"}
    assert service.path == "/v0/auth/login"


@pytest.mark.parametrize(
    ("status", "message"), [(400, "Not a valid email address."), (401, "Incorrect email or password.")]
)
def test_a_refused_login_says_why(status: int, message: str, service: LoginServer) -> None:
    service.answer = status, b"{}"

    with pytest.raises(APIError) as caught:
        Auth.from_login("me", "wrong")

    assert type(caught.value) is APIError
    assert (str(caught.value), caught.value.status) == (message, status)


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"token": 3}', b'{"token": "a.b.c"}', token({})])
def test_a_login_answer_without_a_key_is_an_auth_error(body: bytes, service: LoginServer) -> None:
    service.answer = 200, body

    with pytest.raises(AuthException):
        Auth.from_login("me", "secret")


def test_a_login_without_a_server_is_a_request_error(service: LoginServer) -> None:
    with pytest.raises(RequestError) as caught:
        AuthClient("http://127.0.0.1:1/v0/auth/").login("me", "secret")
    assert not caught.value.may_have_reached
    assert "secret" not in str(caught.value)
