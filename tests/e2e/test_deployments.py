# SPDX-License-Identifier: Apache-2.0
"""Goal: the calls of a target with several deployments are spread by their weights, a deployment
that fails is spared for a while, and no paid call is ever executed twice."""

import json
import random
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from email.utils import formatdate
from pathlib import Path

import pytest
import yaml
from fakes import raw
from fakes.agent import CHAT, HELLO, STREAM, Agent, Closed
from fakes.apibase import Act, ApiBase
from fakes.pki import Authority, server_context
from fakes.reload import reload, rewrite
from fakes.sidekey import SANITIZED, Sidekey, run
from fakes.wire import free_port, wait_for
from fakes.world import World

JSON = ("Content-Type", "application/json")
HTML = ("Content-Type", "text/html")
ANTHROPIC = {"model": "claude-x", "max_tokens": 5, "messages": HELLO["messages"]}
CALLS = 60 if SANITIZED else 200
SECONDS = 30 if SANITIZED else 10
BOUNDARY = "d5f0c1a2b3"
FORM = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    f"{'x' * 200_000}\r\n--{BOUNDARY}--\r\n"
).encode()
AUDIO = "/v1/audio/transcriptions"
SAID = Act(200, (JSON,), b'{"text": "hello"}')
FORM_TYPE = (("Content-Type", f"multipart/form-data; boundary={BOUNDARY}"),)


def turned_away(status: int, *headers: tuple[str, str], error: dict | None = None) -> Act:
    """What a real one says of a call that it has not looked at, and does not charge."""
    body = json.dumps({"error": {"message": "too much to do", **(error or {})}}).encode()
    return Act(status, (JSON, *headers), body, unexecuted=True)


def failure(status: int, *headers: tuple[str, str]) -> Act:
    return Act(status, (JSON, *headers), b'{"error": {"message": "trouble", "code": "internal"}}')


def place(api: ApiBase, **more) -> dict:
    return {"apiBase": api.base, **more}


def dead() -> dict:
    """An address where nobody listens."""
    return {"apiBase": f"http://127.0.0.1:{free_port()}/v1"}


class Spread:
    """Upstreams with a key of each, and the target that has them as its deployments."""

    def __init__(self, apis: list[ApiBase], env: dict[str, str]) -> None:
        self.apis, self.env = apis, env

    def places(self) -> list[dict]:
        return [place(api, apiKey=f"env:KEY_{n}") for n, api in enumerate(self.apis, 1)]

    def target(self, *places: dict, **changes) -> dict:
        whole = {"apiKey": "none", "allowPlaintext": True, "timeouts": {"connect": "1s"}}
        return {**whole, "deployments": list(places) or self.places(), **changes}

    def config(self, *places: dict, **changes) -> dict:
        return {"targets": {"main": self.target(*places, **changes)}}

    def executed(self) -> list[int]:
        return [len(api.executed) for api in self.apis]

    def asked(self) -> list[int]:
        return [len(api.requests) for api in self.apis]

    def users(self) -> list[str]:
        return [r.json()["user"] for api in self.apis for r in api.executed]


@pytest.fixture
def spread() -> Iterator[Spread]:
    """Two of them."""
    with ExitStack() as stack:
        env = {f"KEY_{n}": f"sk-{n}-{secrets.token_hex(20)}" for n in (1, 2)}
        yield Spread([stack.enter_context(ApiBase(key)) for key in env.values()], env)


@pytest.fixture
def serve(start) -> Callable[..., Sidekey]:
    def begin(config: dict, env: dict[str, str], all_usable: bool = True) -> Sidekey:
        sidekey = start(config, env)
        if all_usable:
            wait_usable(sidekey)
        return sidekey

    return begin


def targets(sidekey: Sidekey) -> dict[str, dict]:
    return json.loads(sidekey.admin("/readyz")[1])["targets"]


def wait_usable(sidekey: Sidekey) -> None:
    """One deployment is enough to be ready; shares are right once all are there."""

    def are() -> bool:
        return all(t["state"] == "usable" and t["resolved"] for t in targets(sidekey).values())

    wait_for(are, SECONDS, "all are usable")


def cooling(sidekey: Sidekey) -> list[str]:
    return [name for name, t in targets(sidekey).items() if "cooling_seconds" in t]


def errors(sidekey: Sidekey, kind: str) -> int:
    wanted = f'sidekey_upstream_errors_total{{target="main",kind="{kind}"}} '
    lines = sidekey.admin("/metrics")[1].decode().splitlines()
    return next(int(line.removeprefix(wanted)) for line in lines if line.startswith(wanted))


def chat(sidekey: Sidekey, count: int = 1, **members) -> list:
    with Agent(sidekey.port) as agent:
        return [agent.chat({**HELLO, "user": f"call {n}", **members}) for n in range(count)]


def statuses(answers: list) -> list[int]:
    return [a.status for a in answers]


# ---- the spread ----


@pytest.mark.parametrize("weights", [(1, 1), (3, 1), (100, 20)])
def test_by_weight(spread: Spread, serve, weights: tuple[int, int]) -> None:
    places = [{**p, "weight": w} for p, w in zip(spread.places(), weights, strict=True)]
    sidekey = serve(spread.config(*places), spread.env)
    count = 24
    assert statuses(chat(sidekey, count)) == [200] * count
    assert spread.executed() == [count * w // sum(weights) for w in weights]
    assert len(set(spread.users())) == count
    wait_for(lambda: len(sidekey.calls()) == count, SECONDS, "the calls are logged")
    calls = sidekey.calls()
    assert {c["target"] for c in calls} == {"main"}
    by = [sum(c["deployment"] == f"main.d{n}" for c in calls) for n in (1, 2)]
    assert by == spread.executed()
    metrics = sidekey.admin("/metrics")[1].decode()
    assert 'target="main"' in metrics and "main.d1" not in metrics.replace("main.d1.apiKey", "")


def test_each_has_its_own_key(spread: Spread, serve) -> None:
    """The key of one is never sent to the other, whichever way a call takes."""
    sidekey = serve(spread.config(), spread.env)
    assert statuses(chat(sidekey, 10)) == [200] * 10
    for api in spread.apis:
        api.script(turned_away(429, ("Retry-After", "1")))
        assert statuses(chat(sidekey, 4)) == [200] * 4
        wait_for(lambda: not cooling(sidekey), SECONDS, "it has cooled")
    for mine, other in ((0, 1), (1, 0)):
        keys = list(spread.env.values())
        heads = b"".join(r.raw_head for r in spread.apis[mine].requests)
        assert keys[mine].encode() in heads
        assert keys[other].encode() not in heads
    assert [len(api.requests) - len(api.executed) for api in spread.apis] == [1, 1]


CHOICES = {
    "a header": ("/v1/chat/completions", {}, (("x-sidekey-deployment", "main.d2"),)),
    "headers of gateways": (
        "/v1/chat/completions",
        {},
        (("Host-Override", "d2"), ("x-ms-region", "d2"), ("x-amzn-region", "d2")),
    ),
    "the query": ("/v1/chat/completions?deployment=main.d2&target=main.d2&region=d2", {}, ()),
    "the body": ("/v1/chat/completions", {"deployment": "main.d2", "region": "d2"}, ()),
}


@pytest.mark.parametrize("name", CHOICES)
def test_the_agent_chooses_none(spread: Spread, serve, name: str) -> None:
    path, members, headers = CHOICES[name]
    sidekey = serve(spread.config(), spread.env)
    with Agent(sidekey.port) as agent:
        for _ in range(6):
            assert agent.call("POST", path, {**HELLO, **members}, headers).status == 200
    assert spread.executed() == [3, 3]


def test_nor_by_the_name_of_a_model(spread: Spread, serve) -> None:
    rules = [{"match": "gpt-4o", "target": "main"}]
    sidekey = serve({**spread.config(), "models": rules}, spread.env)
    for model in ("main.d2", "d2", "main.d2/gpt-4o"):
        assert chat(sidekey, model=model)[0].code == "model_not_allowed"
    for member in ("api_base", "base_url"):
        refused = chat(sidekey, **{member: spread.apis[1].base})[0]
        assert refused.code == "field_not_allowed"
    assert spread.asked() == [0, 0]


# ---- one that is not reached ----


def gone(sidekey: Sidekey, spread: Spread, kind: str, count: int = 8) -> None:
    """All calls are served by the second upstream, once each, and the first was noted."""
    assert statuses(chat(sidekey, count)) == [200] * count
    assert spread.executed() == [0, count]
    assert sorted(spread.users()) == sorted(f"call {n}" for n in range(count))
    wait_for(lambda: errors(sidekey, kind) == 1, SECONDS, "the attempt is counted")
    state = targets(sidekey)["main.d1"]
    assert 0 < state["cooling_seconds"] <= 5
    assert targets(sidekey)["main"]["state"] == "usable"
    told = sidekey.records(target="main.d1", code=f"upstream_{kind}")
    assert len(told) == 1, "once while it cools"


def test_dead_address(spread: Spread, serve) -> None:
    sidekey = serve(spread.config(dead(), spread.places()[1]), spread.env)
    gone(sidekey, spread, "unreachable")


def test_it_goes_and_comes_back(spread: Spread, serve) -> None:
    """With a connection of it in the pool."""
    sidekey = serve(spread.config(), spread.env)
    assert statuses(chat(sidekey, 4)) == [200] * 4
    spread.apis[0].stop()
    assert statuses(chat(sidekey, 4)) == [200] * 4
    assert spread.executed() == [2, 6]
    spread.apis[0].start()
    wait_for(lambda: chat(sidekey) and spread.executed()[0] > 2, SECONDS + 5, "it is tried again")
    wait_for(lambda: "cooling_seconds" not in targets(sidekey)["main.d1"], SECONDS, "it is well")
    told = {"msg": "a deployment answers well again", "target": "main.d1"}
    wait_for(lambda: sidekey.records(**told), SECONDS, "it is told")


def test_name_that_does_not_resolve(spread: Spread, serve) -> None:
    places = [{"apiBase": "http://nowhere.invalid/v1"}, spread.places()[1]]
    sidekey = serve(spread.config(*places), spread.env, all_usable=False)
    assert statuses(chat(sidekey, 8)) == [200] * 8
    assert spread.executed() == [0, 8]
    assert targets(sidekey)["main.d1"]["resolved"] is False
    assert targets(sidekey)["main"]["resolved"] is True


def test_untrusted_certificate(world: World, spread: Spread, serve) -> None:
    strange = server_context(Authority().server())
    good = server_context(world.authority.server())
    with ApiBase(tls=strange) as bad, ApiBase(tls=good) as well:
        spread.apis = [bad, well]
        config = spread.config(place(bad), place(well), tls={"ca": str(world.ca)})
        sidekey = serve(config, {})
        gone(sidekey, spread, "untrusted")
        assert bad.application_bytes == 0


@contextmanager
def black_hole() -> Iterator[dict]:
    with raw.black_hole() as port:
        yield {"apiBase": f"http://127.0.0.1:{port}/v1"}


def test_black_hole(spread: Spread, serve) -> None:
    with black_hole() as hole:
        sidekey = serve(spread.config(hole, spread.places()[1]), spread.env)
        gone(sidekey, spread, "unreachable", 4)


def test_time_outs_do_not_add_up(spread: Spread, serve) -> None:
    """Of many black holes only as many are dialled as fit into two time-outs."""
    with ExitStack() as stack:
        holes = [stack.enter_context(black_hole()) for _ in range(8)]
        sidekey = serve(spread.config(*holes), spread.env)
        answer = chat(sidekey)[0]
        assert (answer.status, answer.code) == (502, "upstream_unreachable")
        wait_for(lambda: errors(sidekey, "unreachable") >= 2, SECONDS, "all attempts are counted")
        assert errors(sidekey, "unreachable") <= 3


def test_the_agent_leaves_while_it_is_dialled(spread: Spread, serve) -> None:
    with black_hole() as hole:
        target = spread.target(hole, spread.places()[1], timeouts={"connect": "60s"})
        sidekey = serve({"targets": {"main": target}}, spread.env)
        with Agent(sidekey.port) as agent:
            agent.begin("POST", "/v1/chat/completions", HELLO)
            wait_for(lambda: b"inflight 1" in sidekey.admin("/metrics")[1], SECONDS, "it dials")
        wait_for(lambda: b"inflight 0" in sidekey.admin("/metrics")[1], SECONDS, "it is over")
        assert statuses(chat(sidekey)) == [200]
        assert spread.asked() == [0, 1], "the call that was left went nowhere"


def test_all_dead(spread: Spread, serve) -> None:
    sidekey = serve(spread.config(dead(), dead(), dead()), spread.env)
    for call in range(2):
        answer = chat(sidekey)[0]
        assert (answer.status, answer.code) == (502, "upstream_unreachable")
        assert answer.header("x-should-retry") == "true"
        wait_for(lambda n=call: errors(sidekey, "unreachable") == 3 * (n + 1), SECONDS)


def test_upload_to_a_dead_address(spread: Spread, serve) -> None:
    """Not a byte of it was sent, so it goes to the other, which gets all of it."""
    spread.apis[1].always = Act(200, (JSON,), b'{"text": "hello"}')
    sidekey = serve(spread.config(dead(), spread.places()[1], operations=["audio"]), spread.env)
    with Agent(sidekey.port) as agent:
        answers = [
            agent.call("POST", "/v1/audio/transcriptions", FORM, FORM_TYPE) for _ in range(3)
        ]
    assert statuses(answers) == [200] * 3
    assert [r.body for r in spread.apis[1].executed] == [FORM] * 3


# ---- one that has too much to do ----


NOT_EXECUTED = {
    "OpenAI": ("openai", turned_away(429, error={"code": "rate_limit_exceeded"})),
    "OpenAI, overloaded": ("openai", turned_away(503, error={"code": "server_overloaded"})),
    "Azure": ("azure", turned_away(429, ("retry-after-ms", "2500"))),
    "Azure, 503": ("azure", turned_away(503, ("Retry-After", "3"))),
    "Anthropic": ("anthropic", turned_away(429, error={"type": "rate_limit_error"})),
    "Anthropic, overloaded": ("anthropic", turned_away(529, error={"type": "overloaded_error"})),
    "LiteLLM": ("litellm", turned_away(429, ("retry-after", "60"))),
    "a page": (
        "openaiCompatible",
        Act(429, (HTML, ("Retry-After", "2")), b"<html>slow down</html>", unexecuted=True),
    ),
    "in chunks": ("openai", turned_away(429, ("Connection", "close"), error={"code": "x" * 9000})),
}


@pytest.mark.parametrize("name", NOT_EXECUTED)
def test_throttle_goes_to_the_other(spread: Spread, serve, name: str) -> None:
    provider, act = NOT_EXECUTED[name]
    key = {"azure": "api-key", "anthropic": "x-api-key"}.get(provider, "Authorization")
    for api in spread.apis:
        api.key_header = key
        api.prefix = "" if provider == "anthropic" else "/v1"
    sidekey = serve(spread.config(provider=provider), spread.env)
    spread.apis[0].script(act)
    with Agent(sidekey.port) as agent:
        for number in range(6):
            body = {**(ANTHROPIC if provider == "anthropic" else HELLO), "user": f"call {number}"}
            path = "/v1/messages" if provider == "anthropic" else "/v1/chat/completions"
            assert agent.call("POST", path, body).status == 200
    assert spread.asked() == [1, 6]
    assert spread.executed() == [0, 6], "none was executed twice, and none where it was throttled"
    assert sorted(spread.users()) == [f"call {n}" for n in range(6)]
    wait_for(lambda: errors(sidekey, "throttled") == 1, SECONDS, "it is counted")


@pytest.mark.parametrize(
    "after", [("Retry-After", "30"), ("retry-after-ms", "30000"), ("Retry-After", "DATE")]
)
def test_it_is_left_alone_for_as_long_as_it_says(
    spread: Spread, serve, after: tuple[str, str]
) -> None:
    sidekey = serve(spread.config(), spread.env)
    date = formatdate(time.time() + 30, usegmt=True)
    spread.apis[0].script(turned_away(429, (after[0], after[1].replace("DATE", date))))
    assert statuses(chat(sidekey, 2)) == [200] * 2
    wait_for(lambda: "cooling_seconds" in targets(sidekey)["main.d1"], SECONDS)
    assert 5 < targets(sidekey)["main.d1"]["cooling_seconds"] <= 31, "more than by itself"
    assert statuses(chat(sidekey, 10)) == [200] * 10
    assert spread.asked() == [1, 12]


def test_and_then_it_has_its_share_again(spread: Spread, serve) -> None:
    sidekey = serve(spread.config(), spread.env)
    spread.apis[0].script(turned_away(429, ("Retry-After", "1")))
    assert statuses(chat(sidekey, 2)) == [200] * 2
    wait_for(lambda: chat(sidekey) and spread.executed()[0] > 0, SECONDS, "it has cooled")
    before = spread.executed()
    assert statuses(chat(sidekey, 10)) == [200] * 10
    assert [n - b for n, b in zip(spread.executed(), before, strict=True)] == [5, 5]


def test_stream_of_the_other(spread: Spread, serve) -> None:
    sidekey = serve(spread.config(), spread.env)
    spread.apis[0].script(turned_away(429))
    with Agent(sidekey.port) as agent:
        answer = agent.chat(STREAM)
    assert (answer.status, answer.complete) == (200, True)
    assert answer.body.endswith(b"data: [DONE]\n\n")
    assert spread.executed() == [0, 1]


def test_all_throttled(spread: Spread, serve) -> None:
    """The last answer is the agent's, byte for byte; while all cool, one is asked for each call."""
    sidekey = serve(spread.config(), spread.env)
    for api, wait in zip(spread.apis, ("11", "7"), strict=True):
        api.always = turned_away(429, ("Retry-After", wait), error={"code": f"wait {wait}"})
    answer = chat(sidekey)[0]
    assert (answer.status, answer.code) == (429, None)
    assert answer.header("retry-after") == "7"
    assert answer.body == spread.apis[1].always.body
    assert spread.asked() == [1, 1]
    answer = chat(sidekey)[0]
    assert (answer.status, answer.header("retry-after")) == (429, "7")
    assert spread.asked() == [1, 2], "the one that has cooled soonest"
    spread.apis[1].always = None
    assert statuses(chat(sidekey, 3)) == [200] * 3, "it is never refused by ourselves"
    assert spread.executed() == [0, 3]


def test_throttled_and_dead(spread: Spread, serve) -> None:
    """A region is dead and the other busy: what the other says is passed on, and nothing else."""
    sidekey = serve(spread.config(dead(), spread.places()[1]), spread.env)
    spread.apis[1].script(turned_away(429, ("Retry-After", "1")))
    answer = chat(sidekey)[0]
    assert (answer.status, answer.header("retry-after")) == (429, "1")
    assert statuses(chat(sidekey, 3)) == [200] * 3
    assert spread.executed() == [0, 3]


def test_throttled_upload_is_not_sent_again(spread: Spread, serve) -> None:
    sidekey = serve(spread.config(operations=["audio"]), spread.env)
    for api in spread.apis:
        api.always = turned_away(429, ("Retry-After", "2"))
    with Agent(sidekey.port) as agent:
        answer = agent.call("POST", "/v1/audio/transcriptions", FORM, FORM_TYPE)
    assert (answer.status, answer.code, answer.header("retry-after")) == (429, None, "2")
    assert sum(spread.asked()) == 1


def test_refusal_too_long_to_be_held(spread: Spread, serve) -> None:
    """Not a throttle that anybody sends: it goes on as it comes, and the call nowhere else."""
    sidekey = serve(spread.config(), spread.env)
    long = turned_away(429, error={"pad": "x" * 300_000})
    spread.apis[0].script(long)
    answer = chat(sidekey)[0]
    assert (answer.status, answer.body) == (429, long.body)
    assert spread.asked() == [1, 0]


def test_throttle_that_breaks_off(spread: Spread, serve) -> None:
    sidekey = serve(spread.config(), spread.env)
    cut = b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 100\r\n\r\n{"
    spread.apis[0].script(Act(raw=cut))
    with pytest.raises(Closed):
        chat(sidekey)
    assert spread.asked() == [1, 0]


def test_the_agent_leaves_while_a_throttle_is_held(spread: Spread, serve) -> None:
    sidekey = serve(spread.config(), spread.env)
    spread.apis[0].script(Act(429, (JSON,), b"x" * 900, drip=0.5, unexecuted=True))
    with Agent(sidekey.port) as agent:
        agent.begin("POST", "/v1/chat/completions", HELLO)
        wait_for(lambda: "main.d1" in cooling(sidekey), SECONDS, "its head is here")
    wait_for(lambda: b"inflight 0" in sidekey.admin("/metrics")[1], SECONDS, "it is over")
    assert statuses(chat(sidekey, 2)) == [200] * 2
    assert spread.asked() == [1, 2], "the call that was left went nowhere"


def test_a_throttle_that_says_our_key(spread: Spread, serve) -> None:
    """What was held back is looked into with the secrets of whoever said it."""
    sidekey = serve(spread.config(), spread.env)
    keys = list(spread.env.values())
    for api, key in zip(spread.apis, keys, strict=True):
        api.always = turned_away(429, ("X-Key", key), error={"code": key})
    with Agent(sidekey.port) as agent:
        for _ in range(4):
            assert agent.chat().status == 429
        assert not any(key.encode() in bytes(agent.received) for key in keys)


# ---- what may have been executed ----


EXECUTED = {
    "500": failure(500),
    "500 that says when": failure(500, ("Retry-After", "1")),
    "502": failure(502),
    "503 that says nothing": failure(503),
    "504": failure(504, ("Retry-After", "1")),
    "529 of somebody else": failure(529),
}


@pytest.mark.parametrize("name", EXECUTED)
def test_errors_stay_where_they_are(spread: Spread, serve, name: str) -> None:
    act = EXECUTED[name]
    sidekey = serve(spread.config(), spread.env)
    spread.apis[0].script(act)
    answer = chat(sidekey)[0]
    assert (answer.status, answer.body, answer.code) == (act.status, act.body, None)
    assert spread.executed() == [1, 0]
    wait_for(lambda: "cooling_seconds" in targets(sidekey)["main.d1"], SECONDS, "it is spared")


BROKEN = {
    "unanswered": (Act(close_unanswered=True), "upstream_broken"),
    "half a head": (Act(raw=b"HTTP/1.1 200 OK\r\nContent-Ty"), "upstream_broken"),
    "not HTTP": (Act(raw=b"SSH-2.0-OpenSSH_9.2\r\n"), "upstream_invalid"),
    "a redirect": (Act(302, (("Location", "/elsewhere"),)), "upstream_redirect"),
    "an error's page": (Act(503, (HTML,), b"<html>down</html>"), "upstream_invalid"),
    "too late": (Act(stall=30), "upstream_timeout"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_lost_calls_are_not_made_again(spread: Spread, serve, name: str) -> None:
    act, code = BROKEN[name]
    times = {"connect": "1s", "firstByte": "2s" if act.stall else "60s"}
    sidekey = serve(spread.config(timeouts=times), spread.env)
    spread.apis[0].script(act)
    answer = chat(sidekey)[0]
    assert answer.code in (code, "upstream_invalid") and answer.status in (502, 504)
    assert answer.header("x-should-retry") == "false"
    assert spread.executed() == [1, 0]
    assert statuses(chat(sidekey, 4)) == [200] * 4
    assert spread.executed() == [1, 4], "it cools"


def test_broken_in_its_middle(spread: Spread, serve) -> None:
    sidekey = serve(spread.config(), spread.env)
    spread.apis[0].script(Act(events=9, break_after=3))
    with Agent(sidekey.port) as agent, pytest.raises(Closed):
        agent.chat(STREAM)
    assert spread.executed() == [1, 0]
    assert statuses(chat(sidekey, 3)) == [200] * 3
    assert spread.executed() == [1, 3]


@pytest.mark.parametrize("status", [400, 404, 422])
def test_a_call_that_is_wrong_is_nobody_s_failure(spread: Spread, serve, status: int) -> None:
    sidekey = serve(spread.config(), spread.env)
    spread.apis[0].always = failure(status)
    answers = chat(sidekey, 8)
    assert sorted(statuses(answers)) == [200] * 4 + [status] * 4
    assert spread.executed() == [4, 4]
    assert "cooling_seconds" not in targets(sidekey)["main.d1"]


# ---- credentials ----


def test_a_key_that_is_refused_cools_nothing(spread: Spread, serve) -> None:
    sidekey = serve(spread.config(), spread.env)
    spread.apis[0].key = "sk-another-0123456789"
    answers = chat(sidekey, 6)
    assert sorted(statuses(answers)) == [200] * 3 + [401] * 3
    assert "cooling_seconds" not in targets(sidekey)["main.d1"]


def work(sidekey: Sidekey, count: int, threads: int = 4) -> list[int]:
    """So many calls, each with a number of its own, side by side; their statuses."""
    seen: list[int] = []

    def share(first: int) -> None:
        with Agent(sidekey.port) as agent:
            for n in range(first, count, threads):
                seen.append(agent.chat({**HELLO, "user": f"call {n}"}).status)

    pool = [threading.Thread(target=share, args=(n,)) for n in range(threads)]
    for thread in pool:
        thread.start()
    for thread in pool:
        thread.join(60)
    return seen


@pytest.mark.timeout(120)
def test_the_key_of_one_is_rotated_under_load(plain_world: World, spread: Spread, serve) -> None:
    world = plain_world
    arn = world.store.create("second-deployment", spread.env["KEY_2"])
    places = [spread.places()[0], {**spread.places()[1], "apiKey": arn}]
    sidekey = serve(spread.config(*places), world.env(**spread.env))
    seen: list[int] = []
    load = threading.Thread(target=lambda: seen.extend(work(sidekey, CALLS)))
    load.start()
    wait_for(lambda: sum(spread.executed()) > CALLS // 4, 60, "the load is on")
    key = "sk-" + secrets.token_hex(24)
    world.store.put(arn, key)
    spread.apis[1].key = key
    load.join(90)
    assert seen == [200] * CALLS
    assert sorted(spread.users()) == sorted(f"call {n}" for n in range(CALLS))
    assert spread.executed() == [CALLS // 2, CALLS // 2], "and each had its share"


@pytest.mark.timeout(120)
def test_everything_at_once(spread: Spread, serve) -> None:
    """A throttled one, a dead one and a good one: no call fails, and none is executed twice."""
    places = [*spread.places(), dead()]
    sidekey = serve(spread.config(*places), spread.env)
    spread.apis[0].script(*[turned_away(429, ("Retry-After", "1"))] * 5)
    assert sorted(set(work(sidekey, CALLS))) == [200]
    assert sorted(spread.users()) == sorted(f"call {n}" for n in range(CALLS))


MARK = re.compile(rb"<\d+-\d+>")


def calls_of_all_kinds(port: int, number: int, done: threading.Event) -> None:
    """Calls and uploads, each with a mark of its own; every third is given up half-way."""
    chance = random.Random(number)
    for n in range(1_000_000):
        if done.is_set():
            return
        mark = f"<{number}-{n}>"
        body, path, kind = FORM.replace(b"x" * 20, mark.encode() + b"x" * 20, 1), AUDIO, FORM_TYPE
        if chance.random() < 0.5:
            body = json.dumps({**HELLO, "user": mark, "pad": "y" * 90_000}).encode()
            path, kind = CHAT, (JSON,)
        head = [*kind, ("Content-Length", str(len(body)))]
        with Agent(port, timeout=30) as agent, suppress(OSError, Closed):
            agent.begin("POST", path, headers=head)
            cut = chance.randrange(len(body)) if n % 3 == 0 else len(body)
            agent.send(body[:cut])
            if cut == len(body):
                agent.read()


@pytest.mark.timeout(120)
def test_nothing_of_one_reaches_another(plain_world: World, spread: Spread, serve) -> None:
    """Keys are rotated and the list is reloaded while calls and uploads come, fail and go."""
    store, apis, done = plain_world.store, spread.apis, threading.Event()
    arns = [store.create(f"deployment-{n}", api.key) for n, api in enumerate(apis)]
    known = [{api.key} for api in apis]
    places = [place(api, apiKey=arn) for api, arn in zip(apis, arns, strict=True)]
    for api in apis:
        api.models["None"] = SAID  # of a body that is no JSON: an upload
    options = {"operations": ["chat", "audio"]}
    sidekey = serve(spread.config(*places, **options), plain_world.env())
    threads = [
        threading.Thread(target=calls_of_all_kinds, args=(sidekey.port, n, done)) for n in range(4)
    ]
    for thread in threads:
        thread.start()
    for turn in range(6):
        n = turn % len(apis)
        before = sum(spread.executed())
        apis[n].script(*[turned_away(403), turned_away(429), Act(close_unanswered=True)] * 2)
        key = "sk-" + secrets.token_hex(24)
        known[n].add(key)
        store.put(arns[n], key)
        apis[n].key = key
        if n == 0:
            rewrite(sidekey, spread.config({**places[0], "weight": turn + 1}, places[1], **options))
            reload(sidekey)
        wait_for(lambda n=before: sum(spread.executed()) > n + 10, 30, "calls go on")
    done.set()
    for thread in threads:
        thread.join(40)
    for api, keys in zip(apis, known, strict=True):
        shown = {r.header("authorization") for r in api.requests}
        assert shown <= {f"Bearer {key}" for key in keys}
    marks = [m for api in apis for r in api.executed for m in MARK.findall(r.body)]
    assert len(marks) == len(set(marks)) == sum(spread.executed()), "none was executed twice"
    wait_for(lambda: b"\nsidekey_inflight 0\n" in sidekey.admin("/metrics")[1], 10, "none is left")
    for api in apis:
        api.queue.clear()
    wait_for(lambda: statuses(chat(sidekey, 4)) == [200] * 4, 20, "all is well")


# ---- the configuration ----


def test_a_reload_changes_the_list(spread: Spread, serve) -> None:
    sidekey = serve(spread.config(spread.places()[0], dead()), spread.env)
    assert statuses(chat(sidekey, 4)) == [200] * 4
    rewrite(sidekey, spread.config({**spread.places()[0], "weight": 3}, spread.places()[1]))
    reload(sidekey)
    wait_usable(sidekey)
    before = spread.executed()
    assert statuses(chat(sidekey, 8)) == [200] * 8
    assert [n - b for n, b in zip(spread.executed(), before, strict=True)] == [6, 2]


def write(spread: Spread, folder: Path) -> str:
    path = folder / "sidekey.yaml"
    path.write_text(yaml.safe_dump(spread.config(dead(), {**spread.places()[1], "weight": 7})))
    path.chmod(0o600)
    return str(path)


def test_check_tries_each(spread: Spread, tmp_path: Path) -> None:
    result = run("check", "--resolve", "--json", "-c", write(spread, tmp_path), env=spread.env)
    assert result.returncode == 1, "one of them is dead"
    checks = {c["name"]: c for c in json.loads(result.stdout)["checks"] if c["kind"] == "target"}
    assert set(checks) == {"main", "main.d1", "main.d2"}
    assert checks["main.d1"]["code"] == "upstream_unreachable"
    assert checks["main.d2"]["ok"] and checks["main.d2"]["status"] == 401
    assert not any(r.header("authorization") for r in spread.apis[1].requests)


def test_route_shows_them(spread: Spread, tmp_path: Path) -> None:
    path = write(spread, tmp_path)
    result = run("route", "POST", "/v1/chat/completions", "--json", "-c", path, env=spread.env)
    said = json.loads(result.stdout)
    assert said["target"] == "main"
    assert "main.d1 (weight 1, http://" in said["deployments"]
    assert f"main.d2 (weight 7, {spread.apis[1].base})" in said["deployments"]


def test_a_key_that_is_missing(plain_world: World, spread: Spread, serve) -> None:
    """One deployment is enough to be ready, and gets all calls until the other has its key."""
    places = [{**spread.places()[0], "apiKey": "env:NOT_SET"}, spread.places()[1]]
    sidekey = serve(spread.config(*places), spread.env, all_usable=False)
    assert statuses(chat(sidekey, 4)) == [200] * 4
    assert spread.asked() == [0, 4]
    states = {name: t["state"] for name, t in targets(sidekey).items()}
    assert states == {"main": "usable", "main.d1": "unusable", "main.d2": "usable"}
