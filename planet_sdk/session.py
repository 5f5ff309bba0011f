"""The Session: credentials, connections, limits and retries for everything that is sent."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Self, overload

import anyio.lowlevel  # httpx requires it
import httpx

from planet_sdk.answers import retry_after_s, typed_errors
from planet_sdk.auth import AuthType, default_auth
from planet_sdk.decompression import UNDONE
from planet_sdk.exceptions import (
    AnswerTooLarge,
    APIError,
    ClientError,
    PlanetError,
    SessionClosed,
    TooManyRequests,
)
from planet_sdk.exchange import (
    MAX_ANSWER_BYTES,
    MAX_ERROR_BYTES,
    MAX_REDIRECTS,
    REDIRECT_BODY_S,
    BeforeSending,
    Call,
    read_at_most,
    redirected,
    refusal,
)
from planet_sdk.identity import HEADERS, base_url_or_default
from planet_sdk.limits import Limiter, LocalLimiter, RequestKind, Turn
from planet_sdk.models import Response, StreamingResponse
from planet_sdk.redaction import keep_links_out_of_logs, without_secrets
from planet_sdk.retry import Budget, RetryPolicy, may_repeat, retry
from planet_sdk.trust import Trust

if TYPE_CHECKING:
    from planet_sdk.clients import DataClient, OrdersClient

_log = logging.getLogger(__name__)

CONNECT_TIMEOUT_S = 10.0
READ_TIMEOUT_S = 30.0
BODY_TIMEOUT_S = 60.0  # of silence; storage pauses longer than the API does
MAX_TRANSFERS = 16  # each holds a few MiB, and more do not make a line faster

_BODIES = frozenset({RequestKind.LINK, RequestKind.BODY})


class Session:
    """Sends requests to Planet: authenticated, limited, and repeated where that is safe.

    Use one per process, as a context manager, or close it with `aclose`:

        async with Session() as session:
            orders = session.client("orders")

    It can be made outside an event loop, and belongs to the loop it is first used in. Several tasks may share it.

    Attributes:
        base_url: Planet's address, without a trailing slash.
        max_retries: tries after the first.
        max_retry_backoff: the longest pause between tries in seconds, unless the server asks for a longer one.
        outcomes: counts `'Successful'` requests, and the types of the errors after which a request was repeated.
    """

    def __init__(
        self,
        auth: AuthType | None = None,
        *,
        limiter: Limiter | None = None,
        retry: RetryPolicy | None = None,
        base_url: str | None = None,
        max_transfers: int = MAX_TRANSFERS,
    ) -> None:
        """Make a session; nothing is sent yet.

        Args:
            auth: default PL_API_KEY, else PL_AUTH_CLIENT_ID and its secret, else the secret file.
            limiter: who decides when a request may be sent; default one of its own, at Planet's published rates.
            retry: the budget of each request; default 6 tries in 300 seconds.
            base_url: default PL_API_URL, else `https://api.planet.com`.
            max_transfers: files being downloaded at once, whatever the limiter allows.

        Raises:
            AuthException: there are no usable credentials.
            ClientError: `base_url` is no address, or no transfers are allowed.
        """
        if max_transfers < 1:
            raise ClientError(f"max_transfers must be at least 1, not {max_transfers}")
        self.base_url = base_url_or_default(base_url)
        self._auth = auth or default_auth()
        self._trust = Trust(self.base_url)
        self._limiter = limiter or LocalLimiter()
        self._transfers = asyncio.Semaphore(max_transfers)
        self._policy = retry or RetryPolicy()
        self.max_retries = self._policy.max_tries - 1
        self.max_retry_backoff = self._policy.cap_s
        self.outcomes: Counter[type[PlanetError] | str] = Counter()
        self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        keep_links_out_of_logs()
        # Slots bound what is open; a bounded pool would only add a second queue, with a timeout of its own.
        self._http = httpx.AsyncClient(
            headers={**HEADERS, "Accept-Encoding": ", ".join(UNDONE)},
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=100),
            timeout=httpx.Timeout(CONNECT_TIMEOUT_S, read=READ_TIMEOUT_S, pool=None),
        )

    def __repr__(self) -> str:
        return f"<Session {without_secrets(self.base_url)}{' (closed)' if self._closed else ''}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections; the session cannot be used afterwards. Calling it again does nothing."""
        self._closed = True
        if self._loop is None or not self._loop.is_closed():  # connections of a loop that has ended went with it
            await self._http.aclose()

    @overload
    def client(self, name: Literal["orders"], base_url: str | None = None) -> OrdersClient: ...

    @overload
    def client(self, name: Literal["data"], base_url: str | None = None) -> DataClient: ...

    @overload
    def client(self, name: str, base_url: str | None = None) -> OrdersClient | DataClient: ...

    def client(self, name: str, base_url: str | None = None) -> OrdersClient | DataClient:
        """Return a client of one of Planet's APIs.

        Args:
            name: `"orders"` or `"data"`.
            base_url: of that API; it gets this session's credentials.

        Raises:
            ClientError: there is no such client.
        """
        from planet_sdk.clients import DataClient, OrdersClient  # noqa: PLC0415 — clients import this module

        clients: dict[str, type[OrdersClient | DataClient]] = {"data": DataClient, "orders": OrdersClient}
        if name not in clients:
            raise ClientError(f"there is no client named {name!r}; there are 'data' and 'orders'")
        return clients[name](self, base_url=base_url)

    def trust(self, base_url: str) -> None:
        """Send this session's credentials to this address's origin, too: see `planet_sdk.trust`."""
        self._trust.add(base_url)

    def budget(self) -> Budget:
        """Return a fresh budget of tries and seconds for one operation."""
        policy = replace(self._policy, max_tries=self.max_retries + 1, cap_s=self.max_retry_backoff)
        return Budget(policy, self._note_retry)

    async def request(
        self,
        method: str,
        url: str,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        *,
        kind: RequestKind = RequestKind.OTHER,
        changes_nothing: bool = False,
        before_sending: BeforeSending | None = None,
    ) -> Response:
        """Send a request and return its whole answer.

        It is repeated by the rules of `planet_sdk.retry`: a POST is sent twice only if the first cannot have arrived.

        Args:
            method: HTTP method.
            url: the whole address.
            json: what to send as JSON.
            params: what to add as query string; it replaces the one that `url` has.
            kind: which of Planet's limits it counts against.
            changes_nothing: whatever its method, it only asks, as a search does; it is repeated wherever a GET is.
            before_sending: awaited each time just before the first byte is sent, when limits and connecting have taken
                their time; what it raises is raised, and nothing is sent.

        Raises:
            APIError: the server answered with an error.
            RequestError: no whole answer came; says whether the request may have been processed.
            SessionClosed: after `aclose`.
        """
        call = Call(method.upper(), url, kind, json, params or None, before_sending=before_sending)
        budget = self.budget()

        async def attempt() -> Response:
            async with self.open(call, budget) as answer:
                return await self._read_whole(answer, call, budget)

        like = "GET" if changes_nothing else call.method
        response = await retry(attempt, budget, partial(may_repeat, method=like))
        self.outcomes["Successful"] += 1
        return response

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        url: str,
        params: Mapping[str, Any] | None = None,
        *,
        kind: RequestKind = RequestKind.OTHER,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[StreamingResponse]:
        """Send a request and yield its answer as soon as the headers are there.

        Repeated is what ends before the headers; a body that breaks raises RequestError. For files there is
        `planet_sdk.transfer`, which carries on from the byte reached.

        Raises:
            APIError, RequestError, SessionClosed: as `request`.
        """
        call = Call(method.upper(), url, kind, None, params or None, headers)
        budget = self.budget()
        async with AsyncExitStack() as held:
            answer = await retry(
                lambda: held.enter_async_context(self.open(call, budget)),
                budget,
                partial(may_repeat, method=call.method),
            )
            self.outcomes["Successful"] += 1
            yield answer

    @asynccontextmanager
    async def open(self, call: Call, budget: Budget) -> AsyncIterator[StreamingResponse]:
        """Send a request once, follow its redirects, and yield the answer; slots are held until this is left.

        For callers that repeat on their own; all others want `request` or `stream`.

        Raises:
            APIError, RequestError, SessionClosed: as `request`.
        """
        await self._stay_in_one_loop(call)
        async with AsyncExitStack() as held:
            if call.kind in _BODIES:
                with budget.excused():
                    await held.enter_async_context(self._transfers)
            answer = StreamingResponse(await self._final_answer(call, budget, held), held)
            try:
                yield answer
            finally:
                await answer.aclose()

    async def _stay_in_one_loop(self, call: Call) -> None:
        """Raise ClientError in a loop other than the first: connections and queues of that one cannot be used here."""
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
            # Loads what httpx would load when the first request has had its turn: it would arrive late, and too close
            # to the ones after it.
            await anyio.lowlevel.checkpoint()
        if self._loop is not loop:
            raise ClientError(
                f"{call!r} was not sent: the session belongs to another event loop; make a Session in each asyncio.run"
            )

    async def _final_answer(self, call: Call, budget: Budget, held: AsyncExitStack) -> httpx.Response:
        for _ in range(MAX_REDIRECTS + 1):
            await self._trust.check(call.url)
            call = self._away_from_home(call)
            async with AsyncExitStack() as hop:
                with budget.excused():
                    turn = await hop.enter_async_context(self._limiter.slot(call.kind))
                answer = await self._send(call, budget, turn)
                held.push_async_callback(answer.aclose)
                if answer.has_redirect_location:
                    call = await self._next_hop(call, answer)
                    continue
                if not answer.is_success:
                    raise await self._refused(call, answer)
                if call.kind is RequestKind.LINK:  # the file itself, without a redirect: it is read as a body is
                    with budget.excused():
                        await held.enter_async_context(self._limiter.slot(RequestKind.BODY))
                else:
                    held.push_async_callback(hop.pop_all().aclose)
            return answer
        raise ClientError(f"{call!r}: more than {MAX_REDIRECTS} redirects")

    def _away_from_home(self, call: Call) -> Call:
        """Another host's requests do not count against the API's limits: it is storage."""
        return call if self._trust.covers(call.url) else replace(call, kind=RequestKind.BODY)

    async def _send(self, call: Call, budget: Budget, turn: Turn | None) -> httpx.Response:
        if self._closed:
            raise SessionClosed(f"{call!r} was not sent: the session is closed; make a new one")
        with typed_errors(call.method, call.url):
            request = self._build(call, turn)
            auth = self._auth if self._trust.covers(call.url) else None
            async with asyncio.timeout(budget.left_s):
                answer = await self._http.send(request, stream=True, auth=auth, follow_redirects=False)
        _log.debug("answer received", extra={"call": repr(call), "status": answer.status_code})
        return answer

    def _build(self, call: Call, turn: Turn | None) -> httpx.Request:
        read_s = BODY_TIMEOUT_S if call.kind in _BODIES else READ_TIMEOUT_S
        try:
            return self._http.build_request(
                call.method,
                call.url,
                json=call.json,
                params=call.params,
                headers=call.headers,
                timeout=httpx.Timeout(CONNECT_TIMEOUT_S, read=read_s, pool=None),
                extensions={"trace": call.traced(self._trust.watch(call.url), turn)},
            )
        except (TypeError, ValueError, RecursionError) as error:  # NaN, half a character, an object that is no JSON
            raise ClientError(f"{call!r} was not sent: what it says cannot be written ({error})") from error

    async def _next_hop(self, call: Call, answer: httpx.Response) -> Call:
        # A connection whose answer was read to its end is used again; the address is known in any case.
        with suppress(PlanetError, TimeoutError):
            async with asyncio.timeout(REDIRECT_BODY_S):
                await read_at_most(StreamingResponse(answer).aiter_raw(), MAX_ERROR_BYTES)
        await answer.aclose()
        call = redirected(call, answer)
        # Where a download link leads is storage, also if it is on the same host.
        return replace(call, kind=RequestKind.BODY) if call.kind is RequestKind.LINK else call

    async def _refused(self, call: Call, answer: httpx.Response) -> APIError:
        error = await refusal(answer)
        delay_s = retry_after_s(error, self._policy.wall_clock())
        if isinstance(error, TooManyRequests) and delay_s:
            self._limiter.pause(call.kind, min(delay_s, self._policy.max_elapsed_s))
        return error

    async def _read_whole(self, answer: StreamingResponse, call: Call, budget: Budget) -> Response:
        with typed_errors(call.method, call.url):
            async with asyncio.timeout(budget.left_s):
                content = await read_at_most(answer.aiter_bytes(), MAX_ANSWER_BYTES + 1)
        if len(content) > MAX_ANSWER_BYTES:
            raise AnswerTooLarge(f"{call!r}: the answer is longer than {MAX_ANSWER_BYTES:,} bytes; use stream()")
        return answer.whole(content)

    def _note_retry(self, error: PlanetError, delay_s: float) -> None:
        self.outcomes[type(error)] += 1
        # Not an answer's text: storage quotes parts of the signed link in it.
        reason = type(error).__name__ if isinstance(error, APIError) else str(error)
        _log.info("request failed, trying again", extra={"reason": reason, "delay_s": round(delay_s, 3)})
