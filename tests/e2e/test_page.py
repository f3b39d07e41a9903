# SPDX-License-Identifier: Apache-2.0
"""Goal: a person sees in a browser what sidekey does; a page, a neighbour or an agent does not."""

import base64
import hashlib
import json
import os
import re
import signal
import stat
import subprocess
from pathlib import Path
from typing import Self

import pytest
from fakes import browser
from fakes.agent import HELLO, Agent, Answer
from fakes.browser import Browser
from fakes.sidekey import Sidekey, environment, program
from fakes.wire import free_port, wait_for
from fakes.world import World

TOKEN = "operator:" + "t" * 32
HOSTILE = '<img src=x onerror="document.title=1">\u202eevil\u200b'
FILES = ("/", "/page.css", "/page.js")
chromium = pytest.mark.skipif(browser.program() is None, reason="there is no chromium")


@pytest.fixture
def served(plain_world: World, start, socket_path: Path) -> Sidekey:
    """With a socket, adminToken, two rules, and a target whose secret the store does not have."""
    port = free_port()
    config = plain_world.config(
        plain_world.target(required=True),
        admin=[f"127.0.0.1:{port}", f"unix:{socket_path}"],
        adminToken="env:ADMIN_TOKEN",
        models=[{"match": m, "target": "main"} for m in ("gpt-4o", "claude-*")],
    )
    gone = plain_world.key_arn.replace("litellm-proxy", "not-there")
    config["targets"]["broken"] = plain_world.target(apiKey=gone)
    sidekey = start(config, plain_world.env(ADMIN_TOKEN=TOKEN), wait=False)
    sidekey.admin_port = port
    sidekey.wait_ready()
    return sidekey


def basic(password: str, user: str = "me") -> tuple[str, str]:
    pair = base64.b64encode(f"{user}:{password}".encode()).decode()
    return ("Authorization", f"Basic {pair}")


def get(port: int, path: str, *headers: tuple[str, str], host: str = "") -> Answer:
    with Agent(port, host=host) as client:
        return client.call("GET", path, headers=headers)


def told(sidekey: Sidekey) -> dict:
    return get(sidekey.admin_port, "/status", ("Authorization", f"Bearer {TOKEN}")).json()


def make_calls(sidekey: Sidekey) -> dict:
    """Calls of each kind, and what /status says of them."""
    with Agent(sidekey.port) as agent:
        for model in ("gpt-4o", "claude-haiku", "gpt-4o"):
            assert agent.chat({**HELLO, "model": model}).status == 200
        assert agent.chat({**HELLO, "model": HOSTILE}).status == 403
        assert agent.chat({**HELLO, "model": "m" * 128}).status == 403
        assert agent.chat({**HELLO, "api_key": "sk-mine"}).status == 403
    wait_for(lambda: told(sidekey)["calls"]["total"] == 6, 5)
    return told(sidekey)


# ---- what a browser is given ----


def test_the_files_load_nothing_from_elsewhere(served: Sidekey, socket_path: Path) -> None:
    with Agent(unix=str(socket_path)) as client:
        answers = [client.call("GET", path) for path in FILES]
    assert [a.status for a in answers] == [200, 200, 200]
    assert [(a.header("content-type") or "").split(";")[0] for a in answers] == [
        "text/html",
        "text/css",
        "text/javascript",
    ]
    for answer in answers:
        policy = answer.header("content-security-policy") or ""
        assert "default-src 'none'" in policy and "unsafe" not in policy and "*" not in policy
        assert "frame-ancestors 'none'" in policy and "form-action 'none'" in policy
        assert answer.header("x-content-type-options") == "nosniff"
        assert answer.header("cache-control") == "no-store"
        assert answer.header("referrer-policy") == "no-referrer"
        assert answer.header("cross-origin-resource-policy") == "same-origin"
        for address in re.findall(rb"https?:[^\"'\s)]*", answer.body):
            assert address == b"http://www.w3.org/2000/svg"
    page, _, script = (answer.body for answer in answers)
    assert b"style=" not in page and not re.search(rb"\son\w+=", page)
    assert not re.search(rb"innerHTML|outerHTML|insertAdjacent|document.write|eval\(", script)
    assert sum(len(answer.body) for answer in answers) < 21 * 1024


def test_status_has_what_it_draws(served: Sidekey) -> None:
    said = make_calls(served)
    assert len(said["calls"]["per_second"]) == 59
    wait_for(lambda: sum(told(served)["calls"]["per_second"]) == 6, 5)
    first = said["latency_seconds"]["first_byte"]
    assert len(first["counts"]) == len(first["le"]) + 1 and first["le"] == sorted(first["le"])
    assert sum(first["counts"]) == first["count"] == 3
    assert said["secrets"] == {"ttl_seconds": 300, "max_stale_seconds": 86400}
    assert said["upstream_errors"] == []


def test_status_counts_what_failed_upstream(plain_world: World, start, socket_path: Path) -> None:
    target = plain_world.target(apiBase=f"http://127.0.0.1:{free_port()}/v1")
    admin = [f"127.0.0.1:{free_port()}", f"unix:{socket_path}"]
    config = plain_world.config(target, admin=admin)
    sidekey = start(config, plain_world.env(), wait=False)
    sidekey.admin_port = int(admin[0].split(":")[1])
    sidekey.wait_ready()
    with Agent(sidekey.port) as agent:
        assert agent.chat().status == 502

    def errors() -> list:
        with Agent(unix=str(socket_path)) as client:
            return client.call("GET", "/status").json()["upstream_errors"]

    wait_for(lambda: errors() == [{"target": "main", "kind": "unreachable", "count": 1}], 5)


# ---- who gets it on the admin port ----


def test_a_browser_is_asked_for_the_token(served: Sidekey) -> None:
    port = served.admin_port
    asked = get(port, "/")
    assert asked.status == 401
    assert (asked.header("www-authenticate") or "").startswith('Basic realm="sidekey"')
    assert b"<" not in asked.body
    assert b"\nsidekey_admin_refused_total 0\n" in served.admin("/metrics")[1]
    for path in (*FILES, "/status"):
        assert get(port, path, basic(TOKEN)).status == 200
        assert get(port, path, basic(TOKEN, user="")).status == 200
        assert get(port, path, ("Authorization", f"Bearer {TOKEN}")).status == 200
    for path in ("/page.css", "/page.js", "/status"):
        assert get(port, path).header("www-authenticate") == "Bearer"


def test_other_passwords(served: Sidekey) -> None:
    right = basic(TOKEN)[1].split()[1]
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    wrong = [basic(p) for p in ("", "x", TOKEN[:-1], TOKEN + "x", digest, TOKEN + "\0", "x" * 4000)]
    wrong += [
        ("Authorization", f"Basic {text}")
        for text in (right[:-1], right + "=", right + "====", "=" + right[1:], TOKEN, "", "\xff==")
    ]
    wrong.append(("Authorization", "Basic " + base64.b64encode(TOKEN[9:].encode()).decode()))
    for header in wrong:
        for path in (*FILES, "/status"):
            answer = get(served.admin_port, path, header)
            assert answer.status == 401 and b"calls" not in answer.body, (header, path)
    twice = get(served.admin_port, "/", basic(TOKEN), basic(TOKEN))
    assert twice.status == 401
    assert TOKEN not in served.text() and right not in served.text()


def test_other_sites_are_refused(served: Sidekey) -> None:
    port, login = served.admin_port, basic(TOKEN)
    for path in (*FILES, "/status"):
        assert get(port, path, login, ("Sec-Fetch-Site", "same-origin")).status == 200
        for site in ("cross-site", "same-site"):
            answer = get(port, path, login, ("Sec-Fetch-Site", site))
            assert answer.code == "browser_refused"
        assert get(port, path, login, ("Origin", "null")).code == "browser_refused"
        assert get(port, path, login, host="evil.example").code == "host_not_allowed"
        assert get(port, path, login).header("access-control-allow-origin") is None


def test_the_agent_s_port_has_no_page(served: Sidekey) -> None:
    for path in FILES:
        assert get(served.port, path, basic(TOKEN)).code == "route_not_found"


# ---- how it looks ----


def wait_word(tab: Browser, word: str) -> None:
    wait_for(lambda: tab.text("#state") == word, 20, f"{word}: {tab.text('body')}")


def rows(tab: Browser, name: str) -> list[str]:
    return tab.run(f"[...document.querySelectorAll('#{name} tr')].map((row) => row.innerText)")


@chromium
def test_the_page(served: Sidekey) -> None:
    with Browser(login=("me", TOKEN)) as tab:
        assert tab.open(f"http://127.0.0.1:{served.admin_port}/") == ""
        wait_word(tab, "ready")
        assert rows(tab, "calls") == ["No call has been made yet."]
        slot = next(row for row in rows(tab, "slots") if "broken.apiKey" in row)
        assert "missing" in slot and "ResourceNotFoundException" in slot
        assert "unusable" in next(row for row in rows(tab, "targets") if "broken" in row)
        said = make_calls(served)
        wait_for(lambda: len(rows(tab, "calls")) == 6, 20, "the calls")
        shown = rows(tab, "calls")
        for row, call in zip(shown, said["recent"], strict=True):
            assert call["request_id"] in row and str(call["status"]) in row, (row, call)
            assert call["code"] in row and (call["caller"] in row)
        assert '<img src=x onerror="document.title=1">\\u202eevil\\u200b' in shown[2]
        assert "m" * 128 in shown[1]
        assert tab.run("document.images.length") == 0
        assert tab.run("document.title") == "ready · sidekey"
        facts = tab.text("#facts").split()
        assert said["version"] in facts and str(said["calls"]["total"]) in facts
        for row in said["tokens"]:
            line = f"{row['model']} → {row['target']}"
            assert line in tab.text("#tokens") and f"{row['input']} in" in tab.text("#tokens")
        for code, n in said["refusals"].items():
            assert re.search(rf"{code}\s+{n}\b", tab.text("#errors")), tab.text("#errors")
        assert tab.run("document.querySelectorAll('#histogram rect').length") == 17
        assert tab.complaints() == []
        own = f"http://127.0.0.1:{served.admin_port}/"
        assert {url.removeprefix(own) for url in tab.requests() if not url.startswith("data:")} == {
            "",
            "page.css",
            "page.js",
            "status",
        }


@chromium
def test_the_filter_by_keyboard(served: Sidekey) -> None:
    make_calls(served)
    with Browser(login=("me", TOKEN)) as tab:
        tab.open(f"http://127.0.0.1:{served.admin_port}/")
        wait_for(lambda: len(rows(tab, "calls")) == 6, 20)
        tab.run("document.querySelector('input[name=show]').focus()")
        for kind in ("keyDown", "keyUp"):
            tab.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key="ArrowRight",
                code="ArrowRight",
                windowsVirtualKeyCode=39,
            )
        wait_for(lambda: len(rows(tab, "calls")) == 3, 20)
        assert all("403" in row for row in rows(tab, "calls"))


@chromium
@pytest.mark.parametrize("width", [360, 1400])
def test_nothing_is_wider_than_the_window(served: Sidekey, width: int) -> None:
    make_calls(served)
    with Browser(login=("me", TOKEN)) as tab:
        colours = set()
        for scheme in ("light", "dark"):
            tab.appear(width, 800, scheme)
            tab.open(f"http://127.0.0.1:{served.admin_port}/")
            wait_for(lambda: len(rows(tab, "calls")) == 6, 20)
            assert tab.run("document.documentElement.scrollWidth") <= width
            colours.add(tab.run("getComputedStyle(document.body).backgroundColor"))
        assert len(colours) == 2


@chromium
def test_it_says_when_sidekey_is_gone_and_when_it_is_back(
    plain_world: World, start, tmp_path: Path
) -> None:
    port = free_port()
    config = plain_world.config(admin=[f"127.0.0.1:{port}"], adminToken="env:ADMIN_TOKEN")
    env = plain_world.env(ADMIN_TOKEN=TOKEN)
    with Browser(login=("me", TOKEN)) as tab:
        first = start(config, env, wait=False)
        first.admin_port = port
        first.wait_ready()
        tab.open(f"http://127.0.0.1:{port}/")
        wait_word(tab, "ready")
        assert first.stop() == 0
        wait_word(tab, "no answer")
        assert "does not answer" in tab.text("#alarm")
        second = start(config, env, wait=False)
        second.admin_port = port
        wait_word(tab, "ready")
        wait_for(lambda: tab.run("document.querySelector('#alarm').hidden"), 5)


@chromium
def test_without_the_token_there_is_no_page(served: Sidekey) -> None:
    with Browser() as tab:
        tab.open(f"http://127.0.0.1:{served.admin_port}/")
        wait_for(lambda: "adminToken" in tab.text("body"), 20, "the refusal")
        assert not tab.text("#state")
        own = f"http://127.0.0.1:{served.admin_port}/"
        assert set(tab.requests()) <= {own, own + "favicon.ico"}


# ---- sidekey status --open ----


class Opened:
    """`sidekey status --open` while the block lasts."""

    def __init__(self, sidekey: Sidekey, **env: str) -> None:
        command = [str(program()), "status", "-c", str(sidekey.folder / "sidekey.yaml"), "--open"]
        self.process = subprocess.Popen(
            command, env=environment(env), stdout=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Self:
        self.link = self.process.stdout.readline().strip()
        self.advice = self.process.stdout.readline().strip()
        match = re.fullmatch(r"http://127\.0\.0\.1:(\d+)(/[0-9a-f]{64}/)", self.link)
        assert match, self.link
        self.port, self.path = int(match[1]), match[2]
        return self

    def __exit__(self, *_) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        assert self.process.wait(20) == 0
        self.process.stdout.close()

    def get(self, path: str, *headers: tuple[str, str], host: str = "") -> Answer:
        return get(self.port, path, *headers, host=host)

    def begin(self) -> tuple[str, str]:
        """Loads the page; the cookie that came with it."""
        given = self.get(self.path).header("set-cookie") or ""
        return ("Cookie", given.split(";")[0])


def test_open_needs_the_key(served: Sidekey) -> None:
    with Opened(served) as opened:
        key = opened.path.strip("/")
        wrong = [
            "/",
            "/status",
            "/page.js",
            f"/{key}",
            f"/{key[:-1]}{'0' if key[-1] != '0' else '1'}/",
            f"/{key.upper() if key.upper() != key else 'x' * 64}/",
            f"//{key}/",
            f"/?{key}/",
        ]
        for path in wrong:
            answer = opened.get(path)
            assert (answer.status, answer.body) == (404, b"") and not answer.header("set-cookie")
        for host in ("localhost", f"localhost:{opened.port}", "evil.example", "127.0.0.1"):
            assert opened.get(opened.path, host=host).status == 404
        with Agent(opened.port) as client:
            assert client.call("POST", opened.path, b"x").status == 404
        # None of that has used the link up.
        assert opened.get(opened.path).status == 200


def test_open_is_for_one(served: Sidekey) -> None:
    with Opened(served) as opened:
        for name in ("page", "status", "page.js"):
            assert opened.get(opened.path + name).status == 403, "the link comes first"
        first = opened.get(opened.path)
        given = first.header("set-cookie") or ""
        assert first.status == 200 and first.header("refresh") == "0; url=page"
        assert "HttpOnly" in given and "SameSite=Strict" in given and f"Path={opened.path}" in given
        assert re.match(r"sidekey=[0-9a-f]{64};", given)
        assert opened.path.strip("/") != given[len("sidekey=") :].split(";")[0]
        second = opened.get(opened.path)
        assert second.status == 403 and b"has been used" in second.body
        assert second.header("set-cookie") is None
        cookie = ("Cookie", given.split(";")[0])
        said = opened.get(opened.path + "status", cookie)
        assert said.status == 200 and said.json()["ready"]
        assert opened.get(opened.path, cookie).status == 403, "once means once"
        assert b"Last calls" in opened.get(opened.path + "page", cookie).body
        planted = ("Cookie", f"sidekey=x; a=b; {cookie[1]}")
        assert opened.get(opened.path + "page.css", planted).status == 200
        for name in ("page", "status", "page.js"):
            for bad in ("sidekey=", "sidekey=" + "0" * 64, cookie[1][:-1], "x" + cookie[1]):
                assert opened.get(opened.path + name, ("Cookie", bad)).status == 403
            for site in ("cross-site", "same-site"):
                answer = opened.get(opened.path + name, cookie, ("Sec-Fetch-Site", site))
                assert answer.status == 403
            assert opened.get(opened.path + name, cookie, ("Origin", "null")).status == 403
            assert opened.get("/" + name, cookie).status == 404
        assert opened.get(opened.path + "metrics", cookie).status == 404


def test_open_outlives_bad_neighbours(served: Sidekey) -> None:
    with Opened(served) as opened:
        idle = [Agent(opened.port) for _ in range(40)]
        for neighbour in idle[:8]:
            neighbour.send(b"\x16\x03\x01\r\n\r\n")
        for neighbour in idle:
            neighbour.close()
        with Agent(opened.port) as big:
            big.send(b"GET / HTTP/1.1\r\nX: " + b"x" * 20000)
        wait_for(lambda: opened.get("/").status == 404, 5)
        cookie = opened.begin()
        assert opened.get(opened.path + "status", cookie).status == 200


def test_open_over_tcp_with_the_token(plain_world: World, start) -> None:
    port = free_port()
    config = plain_world.config(admin=[f"127.0.0.1:{port}"], adminToken="env:ADMIN_TOKEN")
    sidekey = start(config, plain_world.env(ADMIN_TOKEN=TOKEN), wait=False)
    sidekey.admin_port = port
    sidekey.wait_ready()
    with Opened(sidekey, SIDEKEY_ADMIN_TOKEN=TOKEN) as opened:
        cookie = opened.begin()
        assert opened.get(opened.path + "status", cookie).json()["ready"]
        assert sidekey.stop() == 0
        gone = opened.get(opened.path + "status", cookie)
        assert gone.status == 502 and "does not answer" in gone.json()["error"]
        for path in ("page", "page.css", "page.js"):
            assert TOKEN.encode() not in opened.get(opened.path + path, cookie).body


def test_open_leads_the_browser_by_a_file(served: Sidekey, tmp_path: Path) -> None:
    """Anybody may read a process's arguments, so the link is not among them."""
    note, folder = tmp_path / "note", tmp_path / "runtime"
    folder.mkdir(mode=0o700)
    fake = tmp_path / "bin" / "xdg-open"
    fake.parent.mkdir()
    fake.write_text(f'#!/bin/sh\n{{ echo "$@"; env; }} >{note}.new; mv {note}.new {note}\n')
    fake.chmod(0o755)
    path = f"{fake.parent}:{os.environ['PATH']}"
    env = {"PATH": path, "DISPLAY": ":9", "XDG_RUNTIME_DIR": str(folder)}
    with Opened(served, SIDEKEY_ADMIN_TOKEN=TOKEN, **env) as opened:
        wait_for(note.exists, 10)
        words = note.read_text()
        assert opened.path.strip("/") not in words and TOKEN not in words
        leads = Path(words.splitlines()[0])
        assert leads.parent == folder and stat.S_IMODE(leads.stat().st_mode) == 0o600
        assert f"url={opened.link}" in leads.read_text()
        assert "your browser" in opened.advice
    assert list(folder.iterdir()) == []


def test_open_only_prints_without_a_display(served: Sidekey, tmp_path: Path) -> None:
    with Opened(served, XDG_RUNTIME_DIR=str(tmp_path)) as opened:
        assert "open this link" in opened.advice
    assert not list(tmp_path.glob("*.html"))


@chromium
def test_open_in_a_browser(served: Sidekey, tmp_path: Path) -> None:
    """From the file that a browser is led by, as from the printed link."""
    said = make_calls(served)
    leads = tmp_path / "leads.html"
    with Opened(served) as opened, Browser() as tab, Browser() as other:
        leads.write_text(f'<meta http-equiv="refresh" content="0;url={opened.link}">')
        tab.open(leads.as_uri())
        wait_word(tab, "ready")
        wait_for(lambda: len(rows(tab, "calls")) == 6, 20)
        assert said["recent"][0]["request_id"] in rows(tab, "calls")[0]
        tab.call("Page.reload")
        wait_word(tab, "ready")
        assert tab.complaints() == []
        ours = [url for url in tab.requests() if url.startswith("http")]
        names = ("", "page", "page.css", "page.js", "status")
        assert set(ours) == {opened.link + name for name in names}
        assert tab.run("document.cookie") == ""
        other.open(opened.link)
        assert "has been used" in other.text("body")
        assert json.dumps(said["recent"][0]["request_id"]) not in other.text("body")
