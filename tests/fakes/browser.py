# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium, driven over the pipe of its DevTools protocol."""

import base64
import fcntl
import itertools
import json
import os
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Self

from fakes.wire import wait_for

SECONDS = 60
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
]


def program() -> str | None:
    return shutil.which("chromium")


class Browser:
    """`with Browser() as b: b.open(url)`: one tab. login: the answer to who asks for one."""

    def __init__(self, login: tuple[str, str] | None = None) -> None:
        self.login = login
        self.numbers = itertools.count(1)
        self.answers: dict[int, dict] = {}
        self.events: list[dict] = []
        self.session: str | None = None

    # ---- life ----

    def __enter__(self) -> Self:
        self.folder = tempfile.mkdtemp(prefix="sk-browser")
        theirs_in, self.to = os.pipe()
        self.come, theirs_out = os.pipe()
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD, 20) for fd in (theirs_in, theirs_out)]
        place = f'exec "$@" 3<&{high[0]} 4>&{high[1]}'  # where Chromium looks for them
        home = {"HOME": self.folder, "PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
        command = [program() or "chromium", *FLAGS, f"--user-data-dir={self.folder}"]
        self.process = subprocess.Popen(
            ["/bin/bash", "-c", place, "-", *command],
            env=home,
            pass_fds=high,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for fd in (theirs_in, theirs_out, *high):
            os.close(fd)
        threading.Thread(target=self._read, daemon=True).start()
        try:
            self._begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self.to)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _begin(self) -> None:
        tab = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=tab, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call("Fetch.enable", handleAuthRequests=True)

    # ---- the protocol: JSON with a NUL behind it ----

    def _send(self, method: str, **params) -> int:
        number = next(self.numbers)
        message = {"id": number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        return number

    def _read(self) -> None:
        rest = b""
        while piece := os.read(self.come, 1 << 20):
            *whole, rest = (rest + piece).split(b"\0")
            for text in whole:
                self._take(json.loads(text))
        os.close(self.come)

    def _take(self, message: dict) -> None:
        if "id" in message:
            self.answers[message["id"]] = message
            return
        self.events.append(message)
        request = {"requestId": message["params"].get("requestId")}
        if message["method"] == "Fetch.requestPaused":
            self._send("Fetch.continueRequest", **request)
        elif message["method"] == "Fetch.authRequired":
            reply = {"response": "CancelAuth"}
            if self.login:
                reply = {
                    "response": "ProvideCredentials",
                    "username": self.login[0],
                    "password": self.login[1],
                }
            self._send("Fetch.continueWithAuth", **request, authChallengeResponse=reply)

    def call(self, method: str, **params) -> dict:
        number = self._send(method, **params)
        wait_for(lambda: number in self.answers, SECONDS, method)
        answer = self.answers.pop(number)
        assert "error" not in answer, (method, answer["error"])
        return answer["result"]

    # ---- for tests ----

    def open(self, url: str) -> str:
        """Goes there; an error's text, or "" when an answer came."""
        seen = len(self.events)
        failed = self.call("Page.navigate", url=url).get("errorText", "")
        if not failed:
            wait_for(
                lambda: any(e["method"] == "Page.loadEventFired" for e in self.events[seen:]),
                SECONDS,
                "loaded",
            )
        return failed

    def run(self, script: str):
        answer = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def text(self, selector: str) -> str:
        return self.run(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''")

    def requests(self) -> list[str]:
        """Every address that a page asked for."""
        sent = [e["params"] for e in self.events if e["method"] == "Network.requestWillBeSent"]
        return [params["request"]["url"] for params in sent]

    def complaints(self) -> list[str]:
        """What stands on the console: errors, violated policies, exceptions."""
        found = []
        for event in self.events:
            params = event["params"]
            if event["method"] == "Log.entryAdded" and params["entry"]["level"] != "verbose":
                found.append(f"{params['entry']['text']} ({params['entry'].get('url', '')})")
            elif event["method"] == "Runtime.exceptionThrown":
                found.append(json.dumps(params["exceptionDetails"]))
            elif event["method"] == "Runtime.consoleAPICalled":
                found.append(json.dumps(params["args"]))
        return found

    def appear(self, width: int, height: int, scheme: str = "light") -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", features=[feature])

    def picture(self, path: Path) -> None:
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))
