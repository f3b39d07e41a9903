# SPDX-License-Identifier: Apache-2.0
"""Goal: the published JSON Schema and `sidekey check` say the same of every document."""

import copy
import json
import os
import subprocess
from pathlib import Path

import jsonschema
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SIDEKEY = os.environ.get("SIDEKEY", str(ROOT / "build" / "sidekey"))
PUBLISHED = ROOT / "deploy" / "sidekey.schema.json"
ARN = "arn:aws:secretsmanager:us-east-1:123456789012:secret:k-AbCdEf"
ROLE = "arn:aws:iam::123456789012:role/path/r"


def run(*arguments, env=None):
    return subprocess.run(
        [SIDEKEY, "check", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
        env={"PATH": os.environ.get("PATH", "/usr/bin"), **(env or {})},
    )


@pytest.fixture(scope="module")
def schema():
    result = run("--schema")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def validator(schema):
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def base():
    return {"targets": {"a": {"apiBase": "https://h.example/v1", "apiKey": "env:K"}}}


def at(path, value):
    """The shortest good document with one more value, at a path such as targets.a.tls."""
    document = copy.deepcopy(base())
    place = document
    *above, last = path.split(".")
    for key in above:
        place = place.setdefault(key, {})
    place[last] = value
    return document


def target(**keys):
    document = base()
    document["targets"]["a"].update(keys)
    return document


def check(document, tmp_path):
    path = tmp_path / "sidekey.yaml"
    path.write_text(json.dumps(document))
    path.chmod(0o600)
    return run("-c", str(path), env={"SET": "https://h.example", "BOOL": "true"})


PLACES = [{"apiBase": "https://h1/v1"}, {"name": "second", "apiBase": "https://h2/v1"}]
REGIONS = ("us-east-1", "eu-west-1")
GOOD = [
    base(),
    at("targets.b-2_x", {"apiBase": "https://[::1]:8443/x/", "apiKey": "none"}),
    at("targets.a.apiKey", ARN),
    at("targets.a.apiKey", ARN + ":key::"),
    at("adminToken", "env:SET"),
    at("adminToken", "sha256:" + "0aF" * 21 + "0"),
    at("targets.a.apiKey", "file:/run/secrets/key"),
    at("targets.a.apiBase", "${SET}"),
    at("targets.a.apiBase", "https://${NOT_SET:-h.example}/v1"),
    at("targets.a.provider", "anthropic"),
    at("targets.a.provider", "${NOT_SET:-litellm}"),
    at("targets.a.provider", "bedrock"),
    {"targets": {"a": {"provider": "bedrock", "region": "us-east-1"}}},
    target(provider="bedrock", auth="apiKey", region="us-east-1"),
    at("targets.a.required", False),
    at("targets.a.required", "${BOOL}"),
    target(apiBase="http://127.0.0.1:8000", allowPlaintext=True),
    at(
        "targets.a.headers",
        {"X-Team": "research", "cf-aig-authorization": "Bearer ${env:T?}"},
    ),
    at("targets.a.cloudflareAccess", {"clientId": "env:I", "clientSecret": "env:S"}),
    at(
        "targets.a.tls",
        {"ca": "/ca", "clientCert": "/c", "clientKey": "env:T", "serverName": "s"},
    ),
    at("targets.a.timeouts", {"connect": "250ms", "firstByte": "5m", "idle": "1h"}),
    at("targets.a.operations", ["chat", "models"]),
    at("targets.a.query", {"api-version": "2024-10-21"}),
    at("models", []),
    at("models", [{"match": "x/*", "target": "a", "stripPrefix": "x/"}]),
    at("defaultTarget", "a"),
    at("defaultTarget", {"openai": "a"}),
    at("listen", ["127.0.0.1:1", "[::1]:1", "localhost:2", "unix:/a", {"unix": "/b"}]),
    at("listen", [{"unix": "/b", "mode": "0660", "group": 5}]),
    {**at("listen", ["0.0.0.0:1"]), "unsafeListen": True},
    at("admin", []),
    at("hosts", ["sidekey", "10.0.0.1", "[::1]"]),
    at("deniedFields", ["web_search", "Store"]),
    at("sandbox", {"require": ["landlock", "landlockNet", "secretPages"]}),
    at("aws", {"credentials": "container", "region": "eu-central-1"}),
    at("aws.endpoints", {"secretsmanager": "https://vpce.example", "sts": "http://[::1]:9"}),
    at("aws.assumeRole", {"roleArn": ROLE, "externalId": "env:E", "duration": "30m"}),
    at("aws.assumeRole", {"roleArn": ROLE, "sessionName": "me@x", "narrow": True}),
    at("targets.a.aws", {}),
    at("callers", [{"name": "a", "token": "env:SET", "uids": [0, 1000]}]),
    at("callers", [{"name": "a", "token": "sha256:" + "0" * 64, "models": ["m", "n*"]}]),
    at("callers", [{"name": "a", "uids": [1], "tokenBudget": {"tokens": 1, "period": "1d"}}]),
    at("secrets", {"ttl": "1m", "maxStale": "7d", "failureTtl": "2s"}),
    at("limits", {"bodyBytes": 65536, "headerBytes": "32KiB", "connections": 5}),
    at("limits.drain", "0s"),
    at("log", {"format": "text", "level": "debug"}),
    at("targets.b", {"apiKey": "none", "deployments": PLACES}),
    at("targets.b", {"deployments": [{**p, "apiKey": "env:K", "weight": 9} for p in PLACES]}),
    at("targets.b", {"provider": "bedrock", "deployments": [{"region": r} for r in REGIONS]}),
]

# Both refuse these.
BAD = [
    [],
    "text",
    {},
    {"targets": {}},
    {"targets": []},
    {"targets": {"a b": base()["targets"]["a"]}},
    at("unknown", 1),
    at("targets.a.apiKeyArn", ARN),
    at("targets.a.apiKey", "sk-literal"),
    at("targets.a.apiKey", None),
    at("targets.a.apiKey", 5),
    at("targets.a.apiKey", "env:1A"),
    at("targets.a.apiKey", "file:relative"),
    at("targets.a.apiBase", "h.example"),
    at("targets.a.apiBase", "ftp://h.example"),
    at("targets.a.apiBase", "https://u:p@h.example"),
    at("targets.a.apiBase", "https://h.example/?q"),
    at("targets.a.apiBase", "https://h.example/#f"),
    at("targets.a.provider", "openia"),
    at("targets.a.auth", "aws"),
    at("targets.a.region", "us"),
    at("targets.a.required", "yes"),
    at("targets.a.required", "true"),
    at("targets.a.headers", ["X"]),
    at("targets.a.headers", {"a b": "c"}),
    at("targets.a.headers", {"A": 5}),
    at("targets.a.cloudflareAccess", {"clientId": "env:I"}),
    at("targets.a.cloudflareAccess", {"clientId": "literal", "clientSecret": "env:S"}),
    at("targets.a.tls", {"ca": "relative"}),
    at("targets.a.tls", {"certificate": "/x"}),
    at("targets.a.timeouts", {"connect": 5}),
    at("targets.a.timeouts", {"connect": "5"}),
    at("targets.a.operations", ["chatt"]),
    at("targets.a.operations", []),
    at("targets.a.operations", "chat"),
    at("targets.a.query", {"a=b": "c"}),
    at("targets.a.redact", "maybe"),
    at("targets.a.includeUsage", "true"),
    at("targets.a.aws", {"endpoints": {}}),
    at("callers", []),
    at("callers", [{"uids": [1]}]),
    at("callers", [{"name": "a b", "uids": [1]}]),
    at("callers", [{"name": "a", "uids": ["root"]}]),
    at("callers", [{"name": "a", "uids": [4294967295]}]),
    at("callers", [{"name": "a", "token": "literal"}]),
    at("callers", [{"name": "a", "token": "env:SET", "models": []}]),
    at("callers", [{"name": "a", "token": "env:SET", "requestsPerMinute": 0}]),
    at("callers", [{"name": "a", "token": "env:SET", "tokenBudget": {"tokens": 1}}]),
    at("deniedFields", "x"),
    at("adminToken", "literal"),
    at("adminToken", "sha256:" + "0" * 63),
    at("adminToken", "none"),
    at("aws.credentials", "imds"),
    at("aws.profile", ""),
    at("aws.region", "us"),
    at("aws.assumeRole", {"externalId": "env:E"}),
    at("aws.assumeRole", {"roleArn": "arn:aws:iam::123456789012:user/r"}),
    at("aws.assumeRole", {"roleArn": ROLE, "externalId": "literal"}),
    at("aws.assumeRole", {"roleArn": ROLE, "sessionName": "a b"}),
    at("models", {}),
    at("models", [{"match": "x"}]),
    at("models", [{"match": "a*b", "target": "a"}]),
    at("defaultTarget", 5),
    at("defaultTarget", {"opena": "a"}),
    at("listen", []),
    at("listen", "127.0.0.1:1"),
    at("listen", ["7717"]),
    at("listen", ["unix:relative"]),
    at("listen", [{"mode": "0660"}]),
    at("listen", [{"unix": "/a", "mode": "660"}]),
    at("listen", [{"unix": "/a", "group": "staff"}]),
    at("hosts", ["a:1"]),
    at("sandbox", {"require": ["lock"]}),
    at("secrets", {"ttl": 300}),
    at("limits", {"connections": 0}),
    at("limits", {"connections": "5"}),
    at("limits", {"headerBytes": 1}),
    at("limits", {"headerBytes": "64K"}),
    at("log", {"level": "trace"}),
    at("log", "json"),
    at("targets.b", {"apiKey": "none", "deployments": PLACES[:1]}),
    at("targets.b", {"apiKey": "none", "deployments": PLACES[0]}),
    at("targets.b", {"apiKey": "none", "deployments": [*PLACES, {"weight": 101}]}),
    at("targets.b", {"apiKey": "none", "deployments": [*PLACES, {"url": "https://h"}]}),
    at("targets.b", {"apiKey": "none", "deployments": [*PLACES, {"name": "a.b"}]}),
    at("targets.b", {"deployments": [{**p, "apiKey": "sk-literal"} for p in PLACES]}),
]

# What depends on two keys, or on a value's meaning, only `check` can say.
BAD_TOGETHER = [
    {"targets": {"a": {}}},
    {"targets": {"a": {"apiBase": "https://h"}}},
    {"targets": {"a": {"apiKey": "none"}}},
    {"targets": {"a": {"provider": "bedrock"}}},
    at("targets.a.region", "us-east-1"),
    target(auth="sigv4"),
    target(apiBase="http://127.0.0.1:8000"),
    target(tls={"clientCert": "/c"}),
    target(headers={"Authorization": "x"}),
    target(headers={"Host": "x"}),
    target(provider="openai", operations=["converse"]),
    target(timeouts={"connect": "9h"}),
    at("models", [{"match": "x", "target": "missing"}]),
    at("defaultTarget", "missing"),
    at("listen", ["0.0.0.0:7717"]),
    at("targets.a.apiBase", "${NOT_SET}"),
    at("limits", {"bodyBytes": "1GiB"}),
    target(deployments=PLACES),
    at("targets.b", {"deployments": PLACES}),
    at("targets.b", {"apiKey": "none", "deployments": [PLACES[0], PLACES[0]]}),
    at("targets.b", {"apiKey": "none", "deployments": [*PLACES, {"weight": 1}]}),
]


@pytest.mark.parametrize("document", GOOD, ids=range(len(GOOD)))
def test_good(document, validator, tmp_path):
    validator.validate(document)
    result = check(document, tmp_path)
    assert result.returncode == 0, result.stderr
    assert ": ok\n" in result.stdout


@pytest.mark.parametrize("document", BAD, ids=range(len(BAD)))
def test_bad(document, validator, tmp_path):
    assert not validator.is_valid(document)
    result = check(document, tmp_path)
    assert result.returncode == 2, result.stdout
    assert "sidekey.yaml:1:" in result.stderr
    assert "sk-literal" not in result.stdout + result.stderr


@pytest.mark.parametrize("document", BAD_TOGETHER, ids=range(len(BAD_TOGETHER)))
def test_bad_together(document, validator, tmp_path):
    validator.validate(document)
    assert check(document, tmp_path).returncode == 2


def test_every_key_has_a_description(schema):
    def walk(node):
        for name, key in node.get("properties", {}).items():
            # The members of a map by dialect explain themselves.
            if name not in ("openai", "anthropic", "azure", "bedrock"):
                assert key["description"], name
            walk(key)
        for below in [
            node.get("items"),
            node.get("additionalProperties"),
            *node.get("anyOf", []),
        ]:
            if isinstance(below, dict):
                walk(below)

    walk(schema)


def test_published_schema_is_the_program_s():
    assert PUBLISHED.read_text() == run("--schema").stdout


@pytest.mark.parametrize(
    ("base", "warned"),
    [
        ("https://api.openai.com", "answers 404 to all"),
        ("https://API.openai.com/v1/", None),
        ("https://api.openai.com/v1/chat/completions", "is one call's URL"),
        ("https://api.openai.com/chat/completions", "is one call's URL"),
        ("https://vllm.internal:8000/v1/responses", "is one call's URL"),
        ("https://generativelanguage.googleapis.com/v1beta", "where the path ends in /openai"),
        ("https://generativelanguage.googleapis.com/v1beta/openai", None),
        ("https://litellm.internal:4000", None),
        ("https://gateway.ai.cloudflare.com/v1/acct/gw/openai", None),
    ],
)
def test_a_base_below_which_there_is_nothing_is_warned_of(base, warned, tmp_path):
    result = check(target(apiBase=base), tmp_path)
    assert result.returncode == 0
    if warned is None:
        assert "warning: targets.a.apiBase" not in result.stderr
    else:
        assert result.stderr.count("warning: targets.a.apiBase: ") == 1
        assert warned in result.stderr


def test_what_a_target_says_in_vain_is_said_once(tmp_path):
    places = [{"apiBase": f"https://{name}.example/v1"} for name in ("x", "y")]
    document = target(deployments=places, headers={"X-Key": "env:K"})
    del document["targets"]["a"]["apiBase"]
    assert check(document, tmp_path).stderr.count("the upstream gets this reference itself") == 1


def test_access_on_the_shared_gateway_host_is_warned_of(tmp_path):
    document = target(
        apiBase="https://gateway.ai.cloudflare.com/v1/acct/gw/openai",
        cloudflareAccess={"clientId": "env:I", "clientSecret": "env:S"},
    )
    result = check(document, tmp_path)
    assert result.returncode == 0
    assert "warning: targets.a: Cloudflare Access does not protect" in result.stderr


def test_usage():
    assert run("--nonsense").returncode == 2
    assert run("extra").returncode == 2
    assert run("--help").returncode == 0
    missing = run("-c", "/nonexistent/sidekey.yaml")
    assert missing.returncode == 2
    assert "/nonexistent/sidekey.yaml: there is no such file" in missing.stderr
