"""A headless Chromium, driven over its debugging pipe (https://chromedevtools.github.io/devtools-protocol/)."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
)
_TIMEOUT = 30.0
_COMPLAINTS = ("Runtime.exceptionThrown", "Log.entryAdded", "Page.javascriptDialogOpening")


def executable() -> str | None:
    """The browser's path, or None where there is none."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


class Browser:
    """One page of a browser process; ``complaints`` holds console errors, exceptions and log entries."""

    def __init__(self, profile: Path) -> None:
        path = executable()
        assert path is not None
        command_read, self._commands = os.pipe()
        self._answers, answer_write = os.pipe()
        # Chromium reads commands from descriptor 3 and writes answers to 4; bash puts the pipes there.
        wired = f'exec "$@" 3<&{command_read} 4>&{answer_write}'
        self._process = subprocess.Popen(  # noqa: S603
            ["/bin/bash", "-c", wired, "bash", path, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(command_read, answer_write),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(command_read)
        os.close(answer_write)
        self._number, self._session, self._pending = 0, "", b""
        self.complaints: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.requests: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(timeout=_TIMEOUT)
        os.close(self._commands)
        os.close(self._answers)

    def open(self, path: Path, *, width: int, scheme: str) -> None:
        """Show a file at this width in this colour scheme, and wait until its charts are drawn."""
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=width < 600
        )
        self.prefer(scheme)
        self.requests.clear()
        self.complaints.clear()
        self.call("Page.navigate", url=path.as_uri())
        self.wait(f"document.documentElement?.dataset.drawn?.endsWith('{scheme}')")

    def prefer(self, scheme: str) -> None:
        """Let the page believe that its reader prefers ``light`` or ``dark``."""
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def wait(self, condition: str) -> None:
        """Until a JavaScript expression is true; raises ``TimeoutError``."""
        deadline = time.monotonic() + _TIMEOUT
        while not self.value(condition):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{condition} was never true; {self.complaints}")
            time.sleep(0.05)

    def value(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The protocol's answer to one command."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result
            self._note(answer)

    def _note(self, event: dict[str, Any]) -> None:
        """Keep what is asked about later; of the other events only console calls have such a type."""
        method, parameters = event.get("method"), event.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif method in _COMPLAINTS or parameters.get("type") in ("error", "warning", "assert"):
            self.complaints.append(json.dumps(parameters))

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._pending:
            ready, _, _ = select.select([self._answers], [], [], _TIMEOUT)
            if not ready:
                raise TimeoutError("the browser does not answer")
            self._pending += os.read(self._answers, 1 << 20)
        text, _, self._pending = self._pending.partition(b"\0")
        answer: dict[str, Any] = json.loads(text)
        return answer
