"""The synchronous way to Planet's Auth service: no credentials, no retry."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import httpx

from planet_sdk.answers import error_for, typed_errors
from planet_sdk.exceptions import APIError
from planet_sdk.identity import HEADERS
from planet_sdk.models import Response
from planet_sdk.redaction import keep_links_out_of_logs

TIMEOUT = httpx.Timeout(10, read=30)

# What these two statuses mean here and nowhere else; the wording is that of `planet` 2.14.
_LOGIN_MESSAGES: Mapping[int, str] = {
    HTTPStatus.BAD_REQUEST: "Not a valid email address.",
    HTTPStatus.UNAUTHORIZED: "Incorrect email or password.",
}


class AuthSession:
    """Sends single requests to the Auth service."""

    def request(self, method: str, url: str, json: Mapping[str, Any]) -> Response:
        """Send one request and return its answer.

        Raises:
            APIError: the service refused; the message says why.
            RequestError: no answer came within the timeout.
        """
        keep_links_out_of_logs()
        with typed_errors(method, url), httpx.Client(timeout=TIMEOUT, headers=HEADERS) as client:
            answer = client.request(method, url, json=json)
        if answer.is_success:
            return Response(answer)
        error = error_for(answer.status_code, answer.headers, answer.text)
        if message := _LOGIN_MESSAGES.get(answer.status_code):
            raise APIError(message, status=error.status, headers=error.headers, body=error.body)
        raise error
