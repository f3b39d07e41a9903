# SPDX-License-Identifier: Apache-2.0
"""Goal: whatever goes wrong where keys are given out, calls go on while the keys are good, nothing
wrong is believed, and all is well again as soon as the giver is."""

import json
import time

import pytest
from fakes.agent import chat
from fakes.awsservice import Fault, error, throttle
from fakes.cloud import Cloud
from fakes.iam import Role, iso, role_arn
from fakes.sidekey import SANITIZED, Sidekey
from fakes.wire import Server, wait_for

HEAL_SECONDS = 40 if SANITIZED else 20
SHORT = 16.0 if SANITIZED else 8.0  # seconds that keys last, where a test sees them end


def signed_in(cloud: Cloud) -> dict[str, str]:
    cloud.sso.sign_in(cloud.home)
    cloud.write_shared(cloud.sso.profile("dev"))
    return {"AWS_PROFILE": "dev"}


ARRANGE = {
    "sts": Cloud.web,
    "container": Cloud.pod,
    "sso": signed_in,
    "imds": lambda _: {},
}


def heals(cloud: Cloud, sidekey: Sidekey, giver) -> None:
    """Unavailable, which may be tried again, and the log says so; well when the fault is over."""
    wait_for(lambda: giver.calls, 10, "it is asked")
    wait_for(lambda: sidekey.records(msg="no AWS identity"), 15, "the log")
    answer = chat(sidekey)
    assert (answer.status, answer.code) == (503, "credential_unavailable"), sidekey.text()
    assert answer.header("x-should-retry") == "true"
    assert not cloud.world.api.requests and not cloud.world.store.calls
    giver.fail(None)
    sidekey.wait_ready(HEAL_SECONDS)
    assert chat(sidekey).status == 200


PASSING = {
    "throttled": throttle(),
    "failing": error("InternalFailure", 500),
    "unavailable": error("ServiceUnavailable", 503),
    "truncating": Fault("truncate"),
    "endless": Fault("huge"),
    "a captive portal": Fault("html"),
    "dropping": Fault("drop"),
}
# The type decides, whatever the status says.
MISLEADING = {
    "throttled with 403": error("Throttling", 403),
    "throttled with 500": error("Throttling", 500),
}
# All is one fetcher's: where a giver's own reading of an answer matters, it is asked.
CASES = [
    *(("sts", name) for name in (*PASSING, *MISLEADING)),
    *(("container", name) for name in ("throttled", "failing", "truncating", "a captive portal")),
    *((giver, name) for giver in ("sso", "imds") for name in ("failing", "a captive portal")),
    ("imds", "unavailable"),  # which is how it throttles
]


@pytest.mark.parametrize(("name", "why"), CASES)
def test_giver_that_is_broken_heals(cloud: Cloud, begin, name: str, why: str) -> None:
    giver = getattr(cloud, name)
    giver.fail({**PASSING, **MISLEADING}[why])
    heals(cloud, begin(ARRANGE[name](cloud), wait=False), giver)


@pytest.mark.parametrize("name", ["container", "imds"])
def test_giver_whose_body_stalls(cloud: Cloud, begin, name: str) -> None:
    giver = getattr(cloud, name)
    giver.fail(Fault("stalled body"))
    heals(cloud, begin(ARRANGE[name](cloud), wait=False), giver)


class Lure(Server):
    async def handle(self, request, connection) -> None:
        connection.answer_json(200, {})


@pytest.mark.parametrize("name", ARRANGE)
def test_redirect_is_not_followed(cloud: Cloud, begin, name: str) -> None:
    giver = getattr(cloud, name)
    with Lure() as lure:
        giver.fail(Fault("redirect", location=lure.url + "/"))
        sidekey = begin(ARRANGE[name](cloud), wait=False)
        wait_for(lambda: len(giver.calls) >= 2, 15, "a second attempt")
        assert chat(sidekey).status == 503
        assert lure.connections == 0


def test_no_is_left_alone_for_failure_ttl(cloud: Cloud, begin) -> None:
    """A second here, and then two: no chance of the jitter makes it less."""
    cloud.sts.fail(error("AccessDenied", 403))
    begin(cloud.web(), wait=False)
    wait_for(lambda: len(cloud.sts.requests) >= 3, 15, "a third attempt")
    first, second, third = [r.at for r in cloud.sts.requests[:3]]
    assert second - first >= 0.998 and third - second >= 1.998


REFUSALS = [
    ("sts", error("AccessDenied", 403)),
    ("sts", error("AccessDenied", 400)),
    ("sts", error("ExpiredTokenException", 400)),
    ("sts", error("MalformedPolicyDocument", 400)),
    ("container", error("AccessDeniedException", 403)),
    ("sso", error("ForbiddenException", 403)),
    ("imds", error("Forbidden", 403)),
]


@pytest.mark.parametrize(
    ("name", "fault"), REFUSALS, ids=[f"{n}-{f.type}-{f.status}" for n, f in REFUSALS]
)
def test_giver_says_no(cloud: Cloud, begin, name: str, fault: Fault) -> None:
    """Not to be tried again; and well when somebody has put it right."""
    giver = getattr(cloud, name)
    giver.fail(fault)
    sidekey = begin(ARRANGE[name](cloud), wait=False)
    wait_for(lambda: chat(sidekey).code == "credential_refused", 10, sidekey.text())
    assert chat(sidekey).header("x-should-retry") == "false"
    giver.fail(None)
    sidekey.wait_ready(HEAL_SECONDS)


STORE_ANSWERS = [
    (error("ThrottlingException", 403), "credential_unavailable"),
    (error("InternalServiceError", 400), "credential_unavailable"),
    (error("AccessDeniedException", 500), "credential_refused"),
    (error("com.amazon.coral#AccessDeniedException:http://x/", 400), "credential_refused"),
]


@pytest.mark.parametrize(("fault", "code"), STORE_ANSWERS)
def test_type_decides_at_the_store_too(cloud: Cloud, begin, fault: Fault, code: str) -> None:
    cloud.world.store.fail(fault)
    sidekey = begin(cloud.task(), wait=False)
    wait_for(lambda: len(cloud.world.store.calls) >= 2, 10, "the store is asked")
    wait_for(lambda: chat(sidekey).code == code, 10, sidekey.text())


def test_giver_without_an_address(cloud: Cloud, begin) -> None:
    env = {**cloud.web(), "AWS_ENDPOINT_URL_STS": "https://sts.invalid"}
    sidekey = begin(env, wait=False)
    wait_for(lambda: "sts.invalid" in sidekey.text(), 15, "the name in the log")
    wait_for(lambda: chat(sidekey).code == "credential_unavailable", 15, sidekey.text())


# ---- clocks ----


@pytest.mark.parametrize("minutes", [-20, 20])
@pytest.mark.parametrize("on_top", [False, True], ids=["web identity", "role on top"])
def test_clock_that_is_off(cloud: Cloud, begin, minutes: int, on_top: bool) -> None:
    """AWS's time is learnt from its answers: signatures and ends of keys go by that."""
    for service in (cloud.sts, cloud.world.store):
        service.clock_offset = minutes * 60.0
    cloud.sts.life = 900.0  # by our clock over, when it is 20 minutes ahead
    cloud.sts.add(Role(role_arn("llm")))
    aws = {"assumeRole": {"roleArn": role_arn("llm")}} if on_top else {}
    sidekey = begin(cloud.keys() if on_top else cloud.web(), aws)
    assert chat(sidekey).status == 200
    assert cloud.world.store.fetches() >= 2


def test_a_clock_that_is_off_is_no_fault_of_the_keys(cloud: Cloud, begin) -> None:
    """Of several secrets asked for at a time all are refused; only the first brings news."""
    cloud.world.store.clock_offset = -1200.0
    headers = {f"X-{n}": f"${{{cloud.world.store.create(f'h{n}', 'v' * 20)}}}" for n in range(5)}
    sidekey = begin(cloud.keys(), target=cloud.world.target(headers=headers))
    assert chat(sidekey).status == 200
    assert "restart" not in sidekey.text()


# ---- keys that end ----


def test_one_acquisition_for_all_secrets(cloud: Cloud, begin) -> None:
    cloud.container.delay = 0.3
    headers = {f"X-{n}": f"${{{cloud.world.store.create(f'h{n}', 'v' * 20)}}}" for n in range(12)}
    sidekey = begin(cloud.task(), target=cloud.world.target(headers=headers))
    assert chat(sidekey).status == 200
    assert len(cloud.container.issuer.issued) == 1


def test_keys_are_renewed_ahead_of_their_end(cloud: Cloud, begin) -> None:
    """Each second a secret is asked for, and never with keys that are over; the token is read
    again each time, since it is rotated meanwhile."""
    cloud.container.issuer.life = SHORT
    sidekey = begin(cloud.pod())
    for count in (2, 3):
        cloud.container.token = f"rotated-{count}-" + "r" * 30
        cloud.write_token(cloud.container.token)
        wait_for(lambda n=count: len(cloud.container.issuer.issued) >= n, SHORT, "a renewal")
        assert chat(sidekey).status == 200
    assert set(cloud.world.store.outcomes()) == {"ok"}
    assert set(cloud.container.outcomes()) == {"ok"}


def slots(sidekey: Sidekey) -> set[str]:
    return {s["state"] for s in json.loads(sidekey.admin("/readyz")[1])["slots"].values()}


def test_giver_down_while_the_keys_are_good_and_after(cloud: Cloud, begin) -> None:
    """First nothing is felt; then the secrets that are held are still used; then all is fresh."""
    cloud.container.issuer.life = SHORT
    sidekey = begin(cloud.task())
    cloud.container.stop()
    wait_for(lambda: "could not be renewed" in sidekey.text(), SHORT, "the warning")
    fetched = cloud.world.store.fetches()
    wait_for(lambda: cloud.world.store.fetches() > fetched, SHORT, "a refresh all the same")
    wait_for(lambda: "stale" in slots(sidekey), SHORT + 10, "the keys' end")
    assert chat(sidekey).status == 200 and sidekey.readiness() == 200
    assert set(cloud.world.store.outcomes()) == {"ok"}, "nothing is signed with keys that are over"
    cloud.container.start()
    wait_for(lambda: slots(sidekey) == {"fresh"}, HEAL_SECONDS, "fresh again")


@pytest.mark.parametrize("name", ["sts", "container", "imds"])
def test_keys_that_the_store_takes_no_more(cloud: Cloud, begin, name: str) -> None:
    """Revoked, or expired early: others are acquired at once, and only once for all secrets."""
    issued = getattr(cloud, name).issuer.issued
    sidekey = begin(ARRANGE[name](cloud))
    issued[0].expired = True
    wait_for(lambda: len(issued) == 2, 10, "other keys")
    fetched = cloud.world.store.fetches()
    wait_for(lambda: cloud.world.store.fetches() > fetched + 3, 10, "they are used")
    assert chat(sidekey).status == 200
    assert len(issued) == 2


def test_keys_that_the_store_never_takes(cloud: Cloud, begin) -> None:
    """Of two secrets each has them renewed, and tries what the other has had renewed: at the pace
    of attempts (failureTtl is a second), and not at that of answers."""
    cloud.container.delay = 0.03  # slower than the store, as STS is
    cloud.world.store.fail(error("ExpiredTokenException"))
    sidekey = begin(cloud.task(), wait=False)
    wait_for(lambda: len(cloud.world.store.calls) >= 4, 10, "both are refused, and tried again")
    time.sleep(3)
    assert len(cloud.container.issuer.issued) < 15
    assert len(cloud.world.store.calls) < 60
    cloud.world.store.fail(None)
    sidekey.wait_ready(HEAL_SECONDS)


def test_keys_of_a_file_are_read_again(cloud: Cloud, begin) -> None:
    cloud.write_shared("", cloud.keys_profile())
    sidekey = begin()
    old = cloud.world.principal
    cloud.world.principal = cloud.container.issuer.issue(time.time(), token=None)
    cloud.write_shared("", cloud.keys_profile())
    old.expired = True
    fetched = cloud.world.store.fetches()
    wait_for(lambda: cloud.world.store.fetches() > fetched, 10, "the new keys")
    assert chat(sidekey).status == 200


def test_secret_key_that_was_wrong(cloud: Cloud, begin) -> None:
    """The clocks agree, so that it is not the time: the file that was put right is read again."""
    wrong = cloud.keys_profile().replace(cloud.world.principal.secret_key, "w" * 40)
    cloud.write_shared("", wrong)
    sidekey = begin(wait=False)
    wait_for(lambda: '"InvalidSignatureException"' in sidekey.text(), 10, sidekey.text())
    cloud.write_shared("", cloud.keys_profile())
    sidekey.wait_ready(HEAL_SECONDS)
    assert chat(sidekey).status == 200


def test_environment_s_keys_end(cloud: Cloud, begin) -> None:
    """By AWS_CREDENTIAL_EXPIRATION: nobody is asked any more, and the log says what to do."""
    env = {**cloud.keys(), "AWS_CREDENTIAL_EXPIRATION": iso(time.time() + SHORT)}
    sidekey = begin(env)
    assert chat(sidekey).status == 200
    over = "have expired, and nothing renews them: restart with new ones"
    wait_for(lambda: over in sidekey.text(), SHORT + 20, sidekey.text())
    asked = len(cloud.world.store.calls)
    time.sleep(2.5)
    assert len(cloud.world.store.calls) <= asked + 1, "but for what was on its way"
    assert chat(sidekey).status == 200, "what is held is used on"


def test_environment_s_keys_are_over(cloud: Cloud, begin) -> None:
    env = {**cloud.keys(), "AWS_CREDENTIAL_EXPIRATION": "2020-01-01T01:00:00+01:00"}
    sidekey = begin(env, wait=False)
    wait_for(lambda: '"ExpiredToken"' in sidekey.text(), 10, sidekey.text())
    wait_for(lambda: chat(sidekey).code == "credential_refused", 10, sidekey.text())
    assert not cloud.world.store.calls


def test_profile_that_holds_no_keys_any_more(cloud: Cloud, begin) -> None:
    cloud.write_shared("", cloud.keys_profile())
    sidekey = begin()
    cloud.write_shared("", "[default]\n")
    cloud.world.principal.expired = True
    wait_for(lambda: '"NoProfileKeys"' in sidekey.text(), 10, sidekey.text())
    assert chat(sidekey).status == 200, "what is held is used on"
    cloud.world.principal.expired = False
    cloud.write_shared("", cloud.keys_profile())
    fetched = cloud.world.store.fetches()
    wait_for(lambda: cloud.world.store.fetches() > fetched, HEAL_SECONDS, "the keys again")


# ---- signing in ----


@pytest.mark.parametrize("before", ["missing", "expired", "refused", "nonsense"])
def test_sign_in_comes_later(cloud: Cloud, begin, before: str) -> None:
    """A person must act, is told how, and no restart is needed after."""
    cloud.write_shared(cloud.sso.profile("dev"))
    path = cloud.sso.sign_in(cloud.home, life=-60 if before == "expired" else 3600)
    if before == "missing":
        path.unlink()
    elif before == "nonsense":
        path.write_text("{}")
    elif before == "refused":
        cloud.sso.token = "another-" + "a" * 40
    sidekey = begin({"AWS_PROFILE": "dev"}, wait=False)
    wait_for(lambda: "aws sso login --profile dev" in sidekey.text(), 10, "what to do")
    wait_for(lambda: chat(sidekey).code == "credential_refused", 10, sidekey.text())
    assert bool(cloud.sso.calls) == (before == "refused")
    cloud.sso.sign_in(cloud.home)
    sidekey.wait_ready(HEAL_SECONDS)
    assert chat(sidekey).status == 200
