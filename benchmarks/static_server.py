"""Serves a folder by sendfile, on two ports: one plays Planet's API, the other the storage that its links lead to."""

from __future__ import annotations

import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, BinaryIO


class Handler(SimpleHTTPRequestHandler):
    """Answers GET with the file, which the kernel copies to the socket; connections are kept."""

    protocol_version = "HTTP/1.1"

    def copyfile(self, source: BinaryIO, outputfile: Any) -> None:  # type: ignore[override]  # what typeshed's protocols mean
        """Send the file after the headers, which are in `outputfile`."""
        outputfile.flush()
        self.connection.sendfile(source)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def main() -> None:
    """Serve the folder that is named until stdin ends; the first line of output is the two ports."""
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=sys.argv[1])) for _ in range(2)]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    print(*(server.server_port for server in servers), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
