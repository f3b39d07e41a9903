# SPDX-License-Identifier: Apache-2.0
"""Goal: /metrics tells what happened, in the words of the configuration and never of the agent."""

import time
from pathlib import Path

import pytest
from cryptography import x509
from fakes.agent import CHAT, HELLO, STREAM, Agent
from fakes.apibase import Act
from fakes.sidekey import Sidekey
from fakes.wire import wait_for
from fakes.world import World
from prometheus_client.parser import text_string_to_metric_families

HISTOGRAMS = ("request_duration", "first_byte", "overhead")


class Scrape:
    """One scrape, read by the parser that Prometheus' own client brings."""

    def __init__(self, sidekey: Sidekey) -> None:
        status, body = sidekey.admin("/metrics")
        assert status == 200, body
        self.text = body.decode()
        self.families = {f.name: f for f in text_string_to_metric_families(self.text)}
        self.samples = [s for f in self.families.values() for s in f.samples]

    def value(self, name: str, **labels: str) -> float | None:
        found = [
            s.value
            for s in self.samples
            if s.name == "sidekey_" + name and labels.items() <= s.labels.items()
        ]
        assert len(found) < 2, (name, labels, found)
        return found[0] if found else None

    def total(self, name: str, **labels: str) -> float:
        return sum(
            s.value
            for s in self.samples
            if s.name == "sidekey_" + name and labels.items() <= s.labels.items()
        )


def counted(sidekey: Sidekey, calls: int) -> Scrape:
    """The scrape once that many calls are over: an answer is out before its call is counted."""
    wait_for(lambda: Scrape(sidekey).total("requests_total") >= calls, 5, f"{calls} calls")
    scrape = Scrape(sidekey)
    assert scrape.total("requests_total") == calls, scrape.text
    return scrape


def test_form(plain_world: World, plain_sidekey: Sidekey, plain_agent: Agent) -> None:
    plain_agent.chat()
    with Agent(plain_sidekey.admin_port) as scraper:
        answer = scraper.call("GET", "/metrics")
    assert answer.header("content-type") == "text/plain; version=0.0.4; charset=utf-8"
    scrape = counted(plain_sidekey, 1)
    for family in scrape.families.values():
        assert family.documentation and family.type != "unknown", family.name
    keys = [(s.name, tuple(sorted(s.labels.items()))) for s in scrape.samples]
    assert len(keys) == len(set(keys)), "a series twice"
    assert all(s.value == s.value for s in scrape.samples), "not a number"
    assert scrape.value("build_info") == 1
    assert "arn:" not in scrape.text and plain_world.store.url not in scrape.text


def test_calls(plain_world: World, plain_sidekey: Sidekey, plain_agent: Agent) -> None:
    for _ in range(3):
        assert plain_agent.chat().status == 200
    assert plain_agent.chat(STREAM).complete
    assert plain_agent.call("GET", "/v1/models").status == 200
    plain_world.api.script(Act(429, body=b"{}"))
    assert plain_agent.chat().status == 429
    assert plain_agent.chat({**HELLO, "api_base": "https://evil.example"}).status == 403
    assert plain_agent.call("GET", "/nothing").status == 404
    scrape = counted(plain_sidekey, 8)
    main = {"target": "main", "operation": "chat"}
    assert scrape.value("requests_total", **main, status="200", code="") == 4
    assert scrape.value("requests_total", **main, status="429", code="") == 1
    assert scrape.value("requests_total", target="main", operation="models", status="200") == 1
    refused = {"target": "", "operation": "chat", "status": "403", "code": "field_not_allowed"}
    assert scrape.value("requests_total", **refused) == 1
    unknown = {"target": "", "operation": "", "status": "404", "code": "route_not_found"}
    assert scrape.value("requests_total", **unknown) == 1
    assert scrape.value("refusals_total", code="field_not_allowed") == 1
    assert scrape.value("refusals_total", code="route_not_found") == 1
    assert scrape.total("refusals_total") == 2
    assert scrape.total("upstream_errors_total") == 0, "a proper 429 is an answer"


def test_durations(plain_world: World, plain_sidekey: Sidekey, plain_agent: Agent) -> None:
    plain_world.api.script(Act(stall=0.3))
    plain_agent.chat()
    plain_agent.chat()
    plain_agent.call("GET", "/nothing")
    scrape = counted(plain_sidekey, 3)
    assert scrape.value("request_duration_seconds_count") == 3
    assert scrape.value("first_byte_seconds_count") == 2, "a refusal waits for nobody"
    assert scrape.value("overhead_seconds_count") == 2
    assert scrape.value("first_byte_seconds_sum") >= 0.3
    assert scrape.value("request_duration_seconds_sum") >= scrape.value("first_byte_seconds_sum")
    assert 0 < scrape.value("overhead_seconds_sum") < scrape.value("first_byte_seconds_sum")
    assert scrape.value("first_byte_seconds_bucket", le="0.25") < 2, "one took 0.3 s"
    for name in HISTOGRAMS:
        family = scrape.families[f"sidekey_{name}_seconds"]
        buckets = [s for s in family.samples if s.name.endswith("_bucket")]
        values = [s.value for s in buckets]
        bounds = [float(s.labels["le"]) for s in buckets]
        assert values == sorted(values) and bounds == sorted(bounds)
        assert values[-1] == scrape.value(f"{name}_seconds_count")


def test_inflight(plain_world: World, plain_sidekey: Sidekey) -> None:
    assert Scrape(plain_sidekey).value("inflight") == 0, "a scrape is no call"
    plain_world.api.script(Act(events=500, gap=0.05))
    with Agent(plain_sidekey.port) as agent:
        agent.begin("POST", CHAT, STREAM)
        agent.read_head()
        assert Scrape(plain_sidekey).value("inflight") == 1
    wait_for(lambda: Scrape(plain_sidekey).value("inflight") == 0, 5)
    gone = {"target": "main", "status": "200", "code": "client_gone"}
    assert Scrape(plain_sidekey).value("requests_total", **gone) == 1
    assert Scrape(plain_sidekey).total("refusals_total") == 0, "nobody refused"


@pytest.mark.parametrize(
    ("act", "kind"),
    [
        (Act(close_unanswered=True), "broken"),
        (Act(302, (("Location", "https://evil.example/"),), b""), "redirect"),
        (Act(raw=b"this is not HTTP\r\n\r\n"), "invalid"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_upstream_errors(
    plain_world: World, plain_sidekey: Sidekey, plain_agent: Agent, act: Act, kind: str
) -> None:
    plain_world.api.script(act)
    answer = plain_agent.chat()
    assert answer.code
    scrape = counted(plain_sidekey, 1)
    assert scrape.value("upstream_errors_total", target="main", kind=kind) == 1
    assert scrape.total("upstream_errors_total") == 1
    assert scrape.value("requests_total", target="main", code=answer.code) == 1
    assert scrape.total("refusals_total") == 0


def test_upstream_unreachable(plain_world: World, plain_sidekey: Sidekey) -> None:
    plain_world.api.stop()
    with Agent(plain_sidekey.port) as agent:
        assert agent.chat().code == "upstream_unreachable"
    scrape = counted(plain_sidekey, 1)
    assert scrape.value("upstream_errors_total", target="main", kind="unreachable") == 1


def test_a_refusal_that_nobody_reads_is_counted(plain_sidekey: Sidekey) -> None:
    """Whoever tries the rules cannot hide it by leaving before the answer."""
    for _ in range(5):
        agent = Agent(plain_sidekey.port)
        agent.begin("POST", CHAT, {**HELLO, "api_key": "x"})
        agent.close()
    scrape = counted(plain_sidekey, 5)
    assert scrape.value("refusals_total", code="field_not_allowed") == 5
    assert len(plain_sidekey.calls()) == 5


# ---- labels ----

HOSTILE = 'x"} 1\nsidekey_refusals_total{code="forged"} 99\n\\'


def test_labels_hold_nothing_of_the_agent_s(
    plain_world: World, plain_sidekey: Sidekey, plain_agent: Agent
) -> None:
    clean = {s.name for s in Scrape(plain_sidekey).samples}
    plain_agent.chat({**HELLO, "model": HOSTILE})
    plain_agent.chat({**HELLO, "model": "forged-model"})
    plain_agent.call("GET", "/v1/forged-path?forged=query")
    plain_agent.call("FORGED", "/v1/models")
    plain_agent.chat(headers=[("User-Agent", "forged-agent"), ("Authorization", "Bearer forged")])
    plain_world.api.script(Act(200, (("x-request-id", "forged-id"),), b"{}"))
    plain_agent.chat()
    with Agent(plain_sidekey.port, host="forged.example") as stranger:
        stranger.chat()
    scrape = counted(plain_sidekey, 7)
    assert "forged" not in scrape.text and '\\"' not in scrape.text
    new = {"sidekey_requests_total", "sidekey_tokens_total"}
    assert {s.name for s in scrape.samples} == clean | new


def test_models_of_the_rules_alone(plain_world: World, start) -> None:
    models = [{"match": 'quote"back\\slash*', "target": "main"}]
    sidekey = start(plain_world.config(models=models), plain_world.env())
    with Agent(sidekey.port) as agent:
        assert agent.chat({**HELLO, "model": "other"}).code == "model_not_allowed"
    scrape = counted(sidekey, 1)
    refused = {"target": "", "operation": "chat", "code": "model_not_allowed"}
    assert scrape.value("requests_total", **refused) == 1


def test_statuses_do_not_make_series_without_end(
    plain_world: World, plain_sidekey: Sidekey, plain_agent: Agent
) -> None:
    for status in (200, 204, 299, 418, 499, 599):
        plain_world.api.script(Act(status, (("Content-Type", "application/json"),), b""))
        plain_agent.chat()
    scrape = counted(plain_sidekey, 6)
    seen = {s.labels["status"] for s in scrape.samples if s.name == "sidekey_requests_total"}
    assert all(s == "" or 100 <= int(s) <= 599 for s in seen)


# ---- secrets and certificates ----


def test_secrets(plain_world: World, start) -> None:
    config = plain_world.config(secrets={"ttl": "1s", "failureTtl": "1s"})
    sidekey = start(config, plain_world.env())
    slot = {"slot": "main.apiKey"}
    scrape = Scrape(sidekey)
    assert scrape.value("secret_refreshes_total", **slot, result="success") >= 1
    assert scrape.value("secret_refreshes_total", **slot, result="failure") == 0
    assert 0 <= scrape.value("secret_age_seconds", **slot) < 60
    plain_world.store.stop()
    result = {**slot, "result": "failure"}
    wait_for(lambda: Scrape(sidekey).value("secret_refreshes_total", **result) >= 2, 20)
    before = Scrape(sidekey).value("secret_age_seconds", **slot)
    wait_for(lambda: Scrape(sidekey).value("secret_age_seconds", **slot) > before, 5)
    assert Scrape(sidekey).value("secret_refreshes_total", **slot, result="denied") == 0


def test_denied_secret(plain_world: World, start, tmp_path: Path) -> None:
    target = plain_world.target(headers={"X-Extra": "${env:NOT_THERE?}"})
    sidekey = start(plain_world.config(target), plain_world.env())
    slot = {"slot": "main.headers.X-Extra"}
    wait_for(
        lambda: Scrape(sidekey).value("secret_refreshes_total", **slot, result="denied") >= 1, 5
    )
    assert Scrape(sidekey).value("secret_age_seconds", **slot) is None, "there is no value"


def test_certificate(world: World, sidekey: Sidekey) -> None:
    certificate = x509.load_pem_x509_certificate(world.cert_path.read_bytes())
    left = certificate.not_valid_after_utc.timestamp() - time.time()
    told = Scrape(sidekey).value("certificate_expiry_seconds", target="main")
    assert told is not None and abs(told - left) < 30


def test_no_certificate(plain_sidekey: Sidekey) -> None:
    assert Scrape(plain_sidekey).value("certificate_expiry_seconds", target="main") is None


def test_one_connection_too_many_is_a_refusal_like_others(plain_world: World, start) -> None:
    """Answered before it asks, in full, counted and logged; its id is found in the log."""
    sidekey = start(plain_world.config(limits={"connections": 2}), plain_world.env())
    with Agent(sidekey.port) as one, Agent(sidekey.port) as two:
        assert one.chat().status == two.chat().status == 200
        for _ in range(3):
            with Agent(sidekey.port) as late:
                answer = late.read()
                assert late.at_end()
            assert (answer.status, answer.code) == (503, "overloaded")
            assert answer.header("x-should-retry") == "true"
            assert answer.header("retry-after") == "1"
            assert (answer.header("connection") or "") == "close"
            error = answer.json()["error"]
            assert set(error) == {"message", "type", "param", "code"}
            assert "limits.connections" in error["message"]
            own = answer.header("x-sidekey-request-id")

            def logged(own: str | None = own) -> list[dict]:
                return [c for c in sidekey.calls() if c["request_id"] == own]

            wait_for(logged, 10, "the refusal is logged")
            (line,) = logged()
            assert (line["status"], line["code"], line["dialect"]) == (503, "overloaded", "openai")
            assert line["bytes_in"] == 0 < line["bytes_out"]
        scrape = Scrape(sidekey)
        assert scrape.value("refusals_total", code="overloaded") == 3
        assert (
            scrape.value(
                "requests_total", target="", operation="", status="503", code="overloaded"
            )
            == 3
        )
        assert one.chat().status == two.chat().status == 200
