"""A web application that puts requests into the fleet's queue, with nothing but WSGI: as in Flask, Django, Pyramid.

    python examples/wsgi_app.py [PORT]                          the standard library's server
    gunicorn --chdir examples --preload --workers 4 wsgi_app    or any other

    curl --data @examples/order.json --header "Idempotency-Key: field-7" http://127.0.0.1:8001/orders
    curl http://127.0.0.1:8001/orders/RUN_ID

Needs the Redis of a fleet: REDIS_URL, or the same ORDERS_DATA_DIR (by default: the same working directory).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from http import HTTPStatus
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIServer, make_server

from jobs import BadRequest, BlockingOrderQueue, KeyReused, RunNotFound

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

LONGEST_BODY = 1_000_000

queue = BlockingOrderQueue()  # one for the process: it connects at the first call, and after a fork anew


def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer `POST /orders` and `GET /orders/{run_id}`."""
    status, answer = route(environ)
    headers = [("Content-Type", "application/json")]
    start_response(f"{status.value} {status.phrase}", headers)
    return [json.dumps(answer).encode() + b"\n"]


def route(environ: WSGIEnvironment) -> tuple[HTTPStatus, dict[str, Any]]:
    """What to answer."""
    match environ["REQUEST_METHOD"], environ["PATH_INFO"].strip("/").split("/"):
        case "POST", ["orders"]:
            return order(environ)
        case "GET", ["orders", run_id]:
            return look(run_id)
    return HTTPStatus.NOT_FOUND, {"error": "there is POST /orders, and GET /orders/{run_id}"}


def order(environ: WSGIEnvironment) -> tuple[HTTPStatus, dict[str, Any]]:
    """Submit, which takes milliseconds; whoever asks with the same key gets the same run."""
    length = min(int(environ.get("CONTENT_LENGTH") or 0), LONGEST_BODY)
    try:
        request = json.loads(environ["wsgi.input"].read(length))
        run = queue.submit(request, key=environ.get("HTTP_IDEMPOTENCY_KEY"), producer="examples/wsgi_app.py")
    except (BadRequest, ValueError) as error:
        return HTTPStatus.UNPROCESSABLE_ENTITY, {"error": str(error)}
    except KeyReused as error:
        return HTTPStatus.CONFLICT, {"error": str(error), "run_id": error.run_id}
    return HTTPStatus.CREATED if run.created else HTTPStatus.OK, {"run_id": run.run_id}


def look(run_id: str) -> tuple[HTTPStatus, dict[str, Any]]:
    """Say where the run stands; nobody waits for it in a web request."""
    handle = queue.run(run_id)
    try:
        run = handle.status()
    except RunNotFound as error:
        return HTTPStatus.NOT_FOUND, {"error": str(error)}
    files = [file.path for file in handle.files() if file.verified]
    return HTTPStatus.OK, {"run_id": run_id, "state": run.state, "files": files}


class ThreadedServer(ThreadingMixIn, WSGIServer):
    """A thread for each request: they share the queue."""

    daemon_threads = True


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8001
    with make_server("127.0.0.1", port, application, server_class=ThreadedServer) as server:
        print(f"http://127.0.0.1:{server.server_port}", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            queue.close()
