"""Cloud Storage's HTTP API as far as loads use it, over a directory: objects are uploaded whole, and deleted.

https://cloud.google.com/storage/docs/json_api
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urlsplit


@contextmanager
def storage(directory: Path) -> Iterator[tuple[str, list[str]]]:
    """A server of objects under ``directory/bucket/name``: its address, and a line for each request it is sent."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            path = urlsplit(self.path).path
            body = self.rfile.read(int(self.headers["Content-Length"]))
            header = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
            about, content = message_from_bytes(header + body, policy=policy.HTTP).iter_parts()
            bucket, name = path.split("/")[-2], str(json.loads(about.get_content())["name"])
            file = directory / bucket / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content.get_payload(decode=True))
            self._answer(f"upload {bucket}/{name}", HTTPStatus.OK, {"name": name, "bucket": bucket})

        def do_DELETE(self) -> None:
            _, bucket, _, name = urlsplit(self.path).path.rsplit("/", 3)
            file = directory / bucket / unquote(name)
            status = HTTPStatus.NO_CONTENT if file.is_file() else HTTPStatus.NOT_FOUND
            file.unlink(missing_ok=True)
            self._answer(f"delete {bucket}/{unquote(name)}", status, None)

        def log_message(self, *_: object) -> None:
            pass

        def _answer(self, what: str, status: HTTPStatus, body: object) -> None:
            asked.append(what)
            text = b"" if body is None else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        serving = Thread(target=server.serve_forever, daemon=True)
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        serving.join()
