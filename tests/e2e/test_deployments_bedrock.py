# SPDX-License-Identifier: Apache-2.0
"""Goal: Bedrock in several regions: each call is signed for the region that it goes to, a region
that is throttled or dead is the agent's error in no case, and each paid call is counted once."""

import json
import threading
from collections.abc import Callable, Iterator

import boto3
import botocore.config
import botocore.exceptions
import pytest
from fakes.agent import Agent
from fakes.awsservice import Fault, error
from fakes.bedrock import Bedrock, BedrockAgents
from fakes.iam import Role, role_arn
from fakes.sidekey import SANITIZED, Sidekey
from fakes.sts import Sts
from fakes.wire import free_port, wait_for
from fakes.world import World

MODEL = "amazon.nova-lite-v1:0"
HELLO = [{"role": "user", "content": [{"text": "hello"}]}]
REGIONS = ("us-east-1", "eu-west-1")
SECONDS = 30 if SANITIZED else 10
ROUNDS, EACH = 3, (6 if SANITIZED else 20)


@pytest.fixture
def regions(plain_world: World) -> Iterator[list[Bedrock]]:
    principals = plain_world.store.principals
    with (
        Bedrock(REGIONS[0], principals=principals) as first,
        Bedrock(REGIONS[1], principals=principals) as second,
    ):
        yield [first, second]


@pytest.fixture
def sts(plain_world: World) -> Iterator[Sts]:
    with Sts(principals=plain_world.store.principals) as made:
        yield made


def place(bedrock: Bedrock, **more) -> dict:
    return {"apiBase": bedrock.url, "region": bedrock.region, **more}


def dead(region: str) -> dict:
    return {"apiBase": f"http://127.0.0.1:{free_port()}", "region": region}


def targets(sidekey: Sidekey) -> dict[str, dict]:
    return json.loads(sidekey.admin("/readyz")[1])["targets"]


def wait_usable(sidekey: Sidekey, names: list[str]) -> None:
    def are() -> bool:
        found = targets(sidekey)
        return all(found[name]["state"] == "usable" for name in names)

    wait_for(are, SECONDS, f"{names} are usable")


@pytest.fixture
def run(plain_world: World, regions: list[Bedrock], sts: Sts, start) -> Callable[..., Sidekey]:
    def begin(*places: dict, **changes) -> Sidekey:
        target = {
            "provider": "bedrock",
            "allowPlaintext": True,
            "deployments": list(places) or [place(bedrock) for bedrock in regions],
            **changes,
        }
        env = plain_world.env(AWS_ENDPOINT_URL_STS=sts.url)
        sidekey = start({"targets": {"bedrock": target}}, env)
        wait_usable(sidekey, list(targets(sidekey)))
        return sidekey

    return begin


def client(sidekey: Sidekey, service: str = "bedrock-runtime"):
    """Retries nothing: an error of any call is seen."""
    return boto3.client(
        service,
        endpoint_url=f"http://127.0.0.1:{sidekey.port}/bedrock",
        aws_access_key_id="x",
        aws_secret_access_key="x",
        region_name="ap-south-1",
        config=botocore.config.Config(retries={"total_max_attempts": 1}),
    )


def converse(sidekey: Sidekey, count: int) -> None:
    sdk = client(sidekey)
    for _ in range(count):
        answer = sdk.converse(modelId=MODEL, messages=HELLO)
        assert answer["output"]["message"]["content"][0]["text"] == f"I am {MODEL}"


def executed(regions: list[Bedrock]) -> list[int]:
    return [bedrock.outcomes().count("ok") for bedrock in regions]


def scope(bedrock: Bedrock) -> set[str]:
    """The regions that what came was signed for."""
    signed = [r.header("authorization") or "" for r in bedrock.requests]
    return {s.split("Credential=")[1].split("/")[2] for s in signed}


def test_each_is_signed_for_its_region(run, regions: list[Bedrock]) -> None:
    """The region of the agent's own client says nothing."""
    sidekey = run(place(regions[0]), place(regions[1], weight=2))
    converse(sidekey, 9)
    assert executed(regions) == [3, 6]
    assert [scope(bedrock) for bedrock in regions] == [{r} for r in REGIONS]
    assert set(regions[0].outcomes() + regions[1].outcomes()) == {"ok"}
    wait_for(lambda: len(sidekey.calls()) == 9, SECONDS, "the calls are logged")
    by = [c["deployment"] for c in sidekey.calls()]
    assert [by.count(f"bedrock.{region}") for region in REGIONS] == [3, 6]


THROTTLES = {
    "throttled": error("ThrottlingException", 429, "Too many requests"),
    "not ready": error("ModelNotReadyException", 429, "The model is not ready"),
    "throttled, as 503": error("ThrottlingException", 503, "Slow down"),
}


@pytest.mark.parametrize("name", THROTTLES)
def test_throttled(run, regions: list[Bedrock], name: str) -> None:
    sidekey = run()
    regions[0].fail(THROTTLES[name], times=1)
    converse(sidekey, 6)
    assert executed(regions) == [0, 6]
    assert len(regions[0].requests) == 1
    assert "cooling_seconds" in targets(sidekey)["bedrock.us-east-1"]


def test_a_throttled_stream(run, regions: list[Bedrock]) -> None:
    sidekey = run()
    regions[0].fail(THROTTLES["throttled"], times=1)
    events = list(client(sidekey).converse_stream(modelId=MODEL, messages=HELLO)["stream"])
    assert events[-1]["metadata"]["usage"]["outputTokens"] == 5
    assert executed(regions) == [0, 1]


def test_all_throttled(run, regions: list[Bedrock]) -> None:
    sidekey = run()
    for bedrock in regions:
        bedrock.fail(error("ThrottlingException", 429, f"of {bedrock.region}"))
    with pytest.raises(botocore.exceptions.ClientError, match="of eu-west-1") as refused:
        converse(sidekey, 1)
    assert refused.value.response["Error"]["Code"] == "ThrottlingException"
    assert [len(bedrock.requests) for bedrock in regions] == [1, 1]
    regions[0].fail(None)
    converse(sidekey, 2)  # none has said for how long: each may be asked, once for a call
    assert executed(regions) == [2, 0]


NOT_MOVED = {
    "unavailable": error("ServiceUnavailableException", 503, "unable to process"),
    "internal": error("InternalServerException", 500),
    "too slow": error("ModelTimeoutException", 408),
    "the model failed": error("ModelErrorException", 424),
    "quota": error("ServiceQuotaExceededException", 400),
    "dropped": Fault("drop"),
}


@pytest.mark.parametrize("name", NOT_MOVED)
def test_what_may_have_been_executed(run, regions: list[Bedrock], name: str) -> None:
    """Nothing in the reference says that it was not: the agent gets it, and decides."""
    sidekey = run()
    regions[0].fail(NOT_MOVED[name], times=1)
    with Agent(sidekey.port) as agent:
        answer = agent.call("POST", "/model/m/converse", {"messages": HELLO})
    if name == "dropped":
        assert (answer.status, answer.code) == (424, "upstream_broken")
    else:
        assert (answer.status, answer.code) == (NOT_MOVED[name].status, None)
    assert [len(bedrock.requests) for bedrock in regions] == [1, 0]


def test_a_dead_region(run, regions: list[Bedrock]) -> None:
    sidekey = run(dead("us-west-2"), place(regions[1]))
    converse(sidekey, 6)
    assert executed(regions) == [0, 6]
    assert "cooling_seconds" in targets(sidekey)["bedrock.us-west-2"]


def test_agents_are_spread_too(plain_world: World, sts: Sts, start) -> None:
    """At their own host, which here is one for both regions: it believes one of them alone."""
    with BedrockAgents("eu-west-1", principals=plain_world.store.principals) as agents:
        target = {
            "provider": "bedrock",
            "allowPlaintext": True,
            "operations": ["converse", "knowledgeBases"],
            "deployments": [{"region": "eu-west-1", "weight": 3}, {"region": "us-east-1"}],
        }
        endpoints = {"bedrockAgentRuntime": agents.url}
        config = {"targets": {"bedrock": target}, "aws": {"endpoints": endpoints}}
        config["targets"]["bedrock"]["required"] = False
        sidekey = start(config, plain_world.env(AWS_ENDPOINT_URL_STS=sts.url))
        names = ["bedrock.agents.eu-west-1", "bedrock.agents.us-east-1"]
        wait_usable(sidekey, names)
        with Agent(sidekey.port) as agent:
            path = "/bedrock/knowledgebases/KB/retrieve"
            body = {"retrievalQuery": {"text": "what?"}}
            seen = [agent.call("POST", path, body).status for _ in range(4)]
        assert sorted(seen) == [200, 200, 200, 403]
        assert scope(agents) == {"eu-west-1", "us-east-1"}


def sessions_end(sts: Sts, regions: list[Bedrock]) -> None:
    """Ends the session in use, once calls are answered well again."""
    answered = sum(executed(regions))
    wait_for(lambda: sum(executed(regions)) > answered + EACH, 60, "calls are answered")
    issued = len(sts.issuer.issued)
    sts.issuer.issued[-1].expired = True
    wait_for(lambda: len(sts.issuer.issued) > issued, 60, "there is another session")


@pytest.mark.timeout(180)
def test_everything_at_once(run, regions: list[Bedrock], sts: Sts) -> None:
    """Sessions end, a region is throttled and another is dead, while calls run side by side."""
    role = {"aws": {"assumeRole": {"roleArn": sts.add(Role(role_arn("invoke"))).arn}}}
    places = [place(bedrock) for bedrock in regions]
    sidekey = run(*places, dead("us-west-2"), **role)
    errors: list[Exception] = []
    done, answered = threading.Event(), [0] * 4

    def work(number: int) -> None:
        sdk = client(sidekey)
        while not done.is_set():
            try:
                sdk.converse(modelId=MODEL, messages=HELLO)
                answered[number] += 1
            except botocore.exceptions.ClientError as problem:
                errors.append(problem)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(len(answered))]
    for thread in threads:
        thread.start()
    try:
        for number in range(ROUNDS):
            regions[number % 2].fail(THROTTLES["throttled"], times=1)
            sessions_end(sts, regions)
            # Egress may have another session replaced once a second.
            threading.Event().wait(1.1)
    finally:
        done.set()
        for thread in threads:
            thread.join(60)
    assert errors == []
    assert sum(executed(regions)) == sum(answered), "each was executed once"
    outcomes = {o for bedrock in regions for o in bedrock.outcomes()}
    assert "ExpiredTokenException" in outcomes, "sessions did end"
    assert outcomes <= {"ok", "ExpiredTokenException", "ThrottlingException"}
    assert [scope(bedrock) for bedrock in regions] == [{r} for r in REGIONS]
