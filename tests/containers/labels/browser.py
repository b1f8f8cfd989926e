"""Chromium without a screen, through its driver's own protocol (W3C WebDriver): no package is needed for it."""

from __future__ import annotations

import base64
import json
import shutil
import socket
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

KEYS = {
    "Enter": "\ue007", "Tab": "\ue004", "Delete": "\ue017", "Shift": "\ue008", "Control": "\ue009",
    "Left": "\ue012", "Up": "\ue013", "Right": "\ue014", "Down": "\ue015",
}  # fmt: skip
PATIENCE = 60.0  # seconds for a start or a page; many times what they take


class Browser:
    """One window."""

    def __init__(self) -> None:
        for program in ("chromium", "chromedriver"):
            if shutil.which(program) is None:
                pytest.skip(f"there is no program '{program}'; Debian has it as chromium and chromium-driver")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = int(free.getsockname()[1])
        self._driver = subprocess.Popen(
            ["chromedriver", f"--port={self._port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._session = ""
        try:
            self._begin()
        except BaseException:
            self.close()
            raise

    def _begin(self) -> None:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                self._ask("GET", "/status")
                break
            except OSError:
                assert time.monotonic() < end
                time.sleep(0.1)
        words = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1000,900"]
        wanted = {"goog:chromeOptions": {"args": words}, "goog:loggingPrefs": {"browser": "ALL"}}
        value = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self._session = f"/session/{value['sessionId']}"

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._port}{path}", data, {"Content-Type": "application/json"}, method=method
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.loads(answer.read())["value"]

    def open(self, url: str) -> None:
        self._ask("POST", f"{self._session}/url", {"url": url})

    @property
    def url(self) -> str:
        return str(self._ask("GET", f"{self._session}/url"))

    def run(self, script: str) -> Any:
        return self._ask("POST", f"{self._session}/execute/sync", {"script": script, "args": []})

    def faults(self) -> list[str]:
        """What the browser complains of: scripts, policies, missing files."""
        return [entry["message"] for entry in self._ask("POST", f"{self._session}/se/log", {"type": "browser"})]

    def press(self, *keys: str) -> None:
        """Press keys together, and let go of them."""
        values = [KEYS.get(key, key) for key in keys]
        actions = [{"type": "keyDown", "value": value} for value in values]
        actions += [{"type": "keyUp", "value": value} for value in reversed(values)]
        self._ask("POST", f"{self._session}/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def drag(self, start: tuple[int, int], end: tuple[int, int]) -> None:
        steps: list[dict[str, Any]] = [{"type": "pointerMove", "x": start[0], "y": start[1], "duration": 0}]
        steps += [{"type": "pointerDown", "button": 0}]
        steps += [{"type": "pointerMove", "x": end[0], "y": end[1], "duration": 50}, {"type": "pointerUp", "button": 0}]
        self._ask(
            "POST", f"{self._session}/actions", {"actions": [{"type": "pointer", "id": "mouse", "actions": steps}]}
        )

    def until(self, condition: str) -> Any:
        """Wait until an expression is true on the page; its value."""
        end = time.monotonic() + PATIENCE
        while not (value := self.run(f"return document.readyState === 'complete' && ({condition})")):
            assert time.monotonic() < end, f"{condition}\n{self.run('return document.body.innerText')}"
            time.sleep(0.05)
        return value

    def picture(self, path: Path) -> bytes:
        """A screenshot, also written to a file."""
        data = base64.b64decode(self._ask("GET", f"{self._session}/screenshot"))
        path.write_bytes(data)
        return data

    def close(self) -> None:
        if self._session:
            self._ask("DELETE", self._session)
        self._driver.terminate()
        self._driver.wait(PATIENCE)
