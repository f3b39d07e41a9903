# SPDX-License-Identifier: Apache-2.0
"""Goal: sidekey finds out who it is to AWS in every place it is put into, by the first way that is
configured and by no other, and says what is missing when there is none."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from fakes.agent import chat
from fakes.awsservice import Fault, error
from fakes.cloud import Cloud
from fakes.iam import Role, role_arn, session_arn
from fakes.sidekey import Sidekey, run
from fakes.wire import wait_for


def askers(cloud: Cloud) -> set[str | None]:
    return {c.principal for c in cloud.world.store.calls}


def say(cloud: Cloud, text: str, credentials: str = "") -> dict[str, str]:
    cloud.write_shared(text, credentials)
    return {}


# ---- each way ----


@dataclass
class Way:
    """A way to an identity: what is arranged, whose it then is, and who is asked for it."""

    word: str
    arrange: Callable[[Cloud], dict[str, str]]
    asked: str  # the attribute of Cloud; empty: nobody is
    principal: Callable[[Cloud], str]


def signed_in(cloud: Cloud, session: str = "corp") -> dict[str, str]:
    cloud.sso.sign_in(cloud.home, session)
    cloud.write_shared(cloud.sso.profile("dev", session))
    return {"AWS_PROFILE": "dev"}


def own(cloud: Cloud) -> str:
    return cloud.world.principal.arn


def given_by(name: str) -> Callable[[Cloud], str]:
    return lambda cloud: getattr(cloud, name).issuer.arn


WAYS = {
    "environment": Way("environment", Cloud.keys, "", own),
    "web identity": Way(
        "webIdentity", Cloud.web, "sts", lambda _: session_arn(role_arn("irsa"), "sidekey")
    ),
    "container": Way("container", Cloud.task, "container", given_by("container")),
    "pod": Way("container", Cloud.pod, "container", given_by("container")),
    "shared keys": Way("profile", lambda c: say(c, "", c.keys_profile()), "", own),
    "sign-in": Way("profile", signed_in, "sso", given_by("sso")),
    "older sign-in": Way("profile", lambda c: signed_in(c, ""), "sso", given_by("sso")),
    "instance": Way("instance", lambda _: {}, "imds", given_by("imds")),
}
GIVERS = ("sts", "container", "sso", "imds")


@pytest.mark.parametrize("auto", [True, False], ids=["auto", "named"])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_way_to_an_identity(cloud: Cloud, begin, way: Way, auto: bool) -> None:
    """It leads to the store, asks nobody else, and asks once for all secrets."""
    sidekey = begin(way.arrange(cloud), {"credentials": "auto" if auto else way.word})
    assert chat(sidekey).status == 200
    assert askers(cloud) == {way.principal(cloud)}
    asked = {name for name in GIVERS if getattr(cloud, name).calls}
    assert asked == ({way.asked} if way.asked else set())
    if way.asked:
        assert len(getattr(cloud, way.asked).issuer.issued) == 1


@pytest.mark.parametrize("place", ["env", "file"])
@pytest.mark.parametrize("name", ["environment", "web identity", "pod", "shared keys", "instance"])
def test_role_on_top(cloud: Cloud, begin, tmp_path: Path, name: str, place: str) -> None:
    """With an external id out of a reference; the store sees the role, and none of its source."""
    secret = tmp_path / "ids" / "external"
    secret.parent.mkdir()
    secret.write_text("ext:1/2=3\n")
    secret.chmod(0o600)
    cloud.sts.add(
        Role(role_arn("llm"), external_id="ext:1/2=3", trusted=WAYS[name].principal(cloud))
    )
    env = {**WAYS[name].arrange(cloud), "EXTERNAL": "ext:1/2=3"}
    reference = "env:EXTERNAL" if place == "env" else f"file:{secret}"
    role = {"roleArn": role_arn("llm"), "externalId": reference, "sessionName": "agents"}
    sidekey = begin(env, {"assumeRole": {**role, "duration": "900s"}})
    assert chat(sidekey).status == 200
    assert askers(cloud) == {session_arn(role_arn("llm"), "agents")}
    assert cloud.sts.forms[-1]["DurationSeconds"] == "900"
    assert cloud.sts.outcomes().count("ok") == (2 if name == "web identity" else 1)


def test_narrow_role_may_read_what_is_configured_alone(cloud: Cloud, begin) -> None:
    cloud.sts.add(Role(role_arn("llm")))
    role = {"roleArn": role_arn("llm"), "narrow": True}
    assert chat(begin(cloud.keys(), {"assumeRole": role})).status == 200
    session = cloud.sts.issuer.issued[-1]
    other = cloud.world.store.create("somebody-else-s", "x")
    for arn, may in ((cloud.world.key_arn, True), (cloud.world.access_arn, True), (other, False)):
        assert session.allows("secretsmanager:GetSecretValue", arn) == may
    assert not session.allows("secretsmanager:PutSecretValue", cloud.world.key_arn)


def test_role_that_asks_for_another_external_id(cloud: Cloud, begin) -> None:
    cloud.sts.add(Role(role_arn("llm"), external_id="right"))
    role = {"roleArn": role_arn("llm"), "externalId": "env:EXTERNAL"}
    sidekey = begin({**cloud.keys(), "EXTERNAL": "wrong"}, {"assumeRole": role}, wait=False)
    refused(cloud, sidekey, "AccessDenied", own(cloud))


def test_external_id_that_is_not_there(cloud: Cloud, begin, tmp_path: Path) -> None:
    """The role is not asked for without it."""
    path = tmp_path / "external-id"
    path.write_text("right")
    path.chmod(0o600)
    cloud.sts.add(Role(role_arn("llm"), external_id="right"))
    role = {"roleArn": role_arn("llm"), "externalId": f"file:{path}"}
    sidekey = begin(cloud.keys(), {"assumeRole": role})
    assert chat(sidekey).status == 200
    path.unlink()
    again = begin(cloud.keys(), {"assumeRole": role}, wait=False)
    wait_for(lambda: '"NoExternalId"' in again.text(), 10, again.text())
    assert (chat(again).code or "").startswith("credential_")
    assert len([c for c in cloud.sts.calls if c.asked.startswith("AssumeRole")]) == 1


def test_target_has_an_identity_of_its_own(cloud: Cloud, begin) -> None:
    """What it says is laid over what is said for all; the store is still asked by the latter."""
    cloud.sts.add(Role(role_arn("invoke")))
    mine = {"assumeRole": {"roleArn": role_arn("invoke"), "sessionName": "main"}}
    sidekey = begin(cloud.keys(), target=cloud.world.target(aws=mine))
    assert chat(sidekey).status == 200
    assert askers(cloud) == {own(cloud)}
    wait_for(lambda: sidekey.records(identity="targets.main.aws"), 5, "its own identity")
    record = sidekey.records(identity="targets.main.aws")[0]
    assert record["principal"] == session_arn(role_arn("invoke"), "main")


# ---- profiles ----

CHAIN = f"""
[profile top]
role_arn = {role_arn("top")}
source_profile = middle
external_id = ext-1
role_session_name = from-profile
[profile middle]
role_arn = {role_arn("middle")}
source_profile = base
"""
TOP = session_arn(role_arn("top"), "from-profile")


def profile_chain(cloud: Cloud) -> dict[str, str]:
    cloud.sts.add(Role(role_arn("middle"), trusted=own(cloud)))
    middle = session_arn(role_arn("middle"), "sidekey")
    cloud.sts.add(Role(role_arn("top"), external_id="ext-1", trusted=middle))
    return say(cloud, CHAIN, cloud.keys_profile("base"))


def profile_source(source: str) -> Callable[[Cloud], dict[str, str]]:
    def arrange(cloud: Cloud) -> dict[str, str]:
        given = {"Environment": Cloud.keys, "EcsContainer": Cloud.pod}.get(source)
        text = f"[profile top]\nrole_arn = {role_arn('top')}\ncredential_source = {source}\n"
        cloud.sts.add(Role(role_arn("top")))
        say(cloud, text + "role_session_name = from-profile\n")
        return given(cloud) if given else {}

    return arrange


def profile_web(cloud: Cloud) -> dict[str, str]:
    env = cloud.web("top")
    return say(
        cloud,
        f"[profile top]\nrole_arn = {env['AWS_ROLE_ARN']}\nrole_session_name = from-profile\n"
        f"web_identity_token_file = {env['AWS_WEB_IDENTITY_TOKEN_FILE']}\n",
    )


PROFILES = {
    "a chain of roles": profile_chain,
    "environment below": profile_source("Environment"),
    "container below": profile_source("EcsContainer"),
    "instance below": profile_source("Ec2InstanceMetadata"),
    "web identity": profile_web,
}


@pytest.mark.parametrize("arrange", PROFILES.values(), ids=PROFILES.keys())
def test_profile_s_role(cloud: Cloud, begin, arrange) -> None:
    sidekey = begin(arrange(cloud), {"credentials": "profile", "profile": "top"})
    assert chat(sidekey).status == 200
    assert askers(cloud) == {TOP}


@pytest.mark.parametrize("name", ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"])
def test_variable_that_names_the_profile(cloud: Cloud, begin, name: str) -> None:
    cloud.write_shared("", "[default]\nregion = us-east-1\n" + cloud.keys_profile("dev"))
    assert chat(begin({name: "dev"})).status == 200
    assert askers(cloud) == {own(cloud)}


def test_what_a_profile_says_of_a_place_is_told(cloud: Cloud, begin, tmp_path: Path) -> None:
    """The SDKs would go to another host for it: check and the log say that sidekey does not."""
    cloud.write_shared("", cloud.keys_profile("dev") + "use_fips_endpoint = true\n")
    told = "use_fips_endpoint (set AWS_USE_FIPS_ENDPOINT)"
    assert told in check(cloud, tmp_path, {"AWS_PROFILE": "dev"}).stdout
    sidekey = begin({"AWS_PROFILE": "dev"})
    said = sidekey.records(msg="a part of the configuration is of no use", path="aws.profile")
    assert len(said) == 1 and told in said[0]["why"]
    assert chat(sidekey).status == 200


def test_login_session_is_not_passed_over(cloud: Cloud, tmp_path: Path) -> None:
    """`aws login` writes it into [default]: the instance's role is not taken in its place."""
    cloud.write_shared("[default]\nlogin_session = arn:aws:iam::123456789012:user/me\n")
    result = check(cloud, tmp_path, {})
    assert result.returncode == 2 and "aws login" in result.stdout, result.stdout
    assert not cloud.imds.calls


def test_shared_files_elsewhere(cloud: Cloud, begin) -> None:
    profile_chain(cloud)
    (cloud.home / ".aws").rename(cloud.home / "elsewhere")
    env = {
        "AWS_PROFILE": "top",
        "AWS_CONFIG_FILE": str(cloud.home / "elsewhere" / "config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(cloud.home / "elsewhere" / "credentials"),
    }
    assert chat(begin(env)).status == 200
    assert askers(cloud) == {TOP}


ASSUMES = f"role_arn = {role_arn('r')}\nsource_profile = "
KEYS = "aws_access_key_id = AKIAX\naws_secret_access_key = x\n"
PROCESS = "credential_process = /bin/echo\n"
SIGN_IN = "sso_account_id = 123456789012\nsso_role_name = r\n"
# What stands in profile p, what in profile q, and what is said.
BAD_PROFILES = {
    "loop": (ASSUMES + "q\n", ASSUMES + "p\n", ["p"]),
    "loop below": (ASSUMES + "q\n", ASSUMES + "q\n", ["q"]),
    "credential_process": (PROCESS, "", ["p", "credential_process"]),
    "credential_process below": (ASSUMES + "q\n", PROCESS, ["q", "credential_process"]),
    "MFA": (ASSUMES + "q\nmfa_serial = arn:x\n", KEYS, ["p", "mfa_serial"]),
    "no such source": (ASSUMES + "q\n", "", ["q"]),
    "no source at all": (f"role_arn = {role_arn('r')}\n", "", ["p", "source_profile"]),
    "credential_source": (f"role_arn = {role_arn('r')}\ncredential_source = Moon\n", "", ["p"]),
    "half of the keys": ("aws_access_key_id = AKIAX\n", "", ["p"]),
    "no such profile": ("", KEYS, ["p"]),
    "half a sign-in": ("sso_account_id = 123456789012\nsso_session = s\n", "", ["p", "sso"]),
    "no such session": (SIGN_IN + "sso_session = s\n", "", ["sso-session"]),
    "not a file of profiles": ("{}\n", "", ["config"]),
}


def check(cloud: Cloud, folder: Path, env: dict[str, str], aws: dict | None = None):
    """sidekey check in the cloud's environment."""
    path = folder / "checked.yaml"
    path.write_text(yaml.safe_dump(cloud.world.config(aws=aws or {})))
    path.chmod(0o600)
    return run("check", "-c", str(path), env={**cloud.endpoints(), **env})


@pytest.mark.parametrize(("p", "q", "named"), BAD_PROFILES.values(), ids=BAD_PROFILES.keys())
def test_profile_that_leads_nowhere(cloud: Cloud, tmp_path: Path, p, q, named) -> None:
    say(cloud, "".join(f"[profile {n}]\n{text}" for n, text in (("p", p), ("q", q)) if text))
    result = check(cloud, tmp_path, {"AWS_PROFILE": "p"})
    assert result.returncode == 2, result.stdout
    assert all(word in result.stdout for word in named), result.stdout
    assert not cloud.sts.calls and not cloud.imds.calls


@pytest.mark.parametrize("where", ["file", "folder"])
def test_shared_file_that_others_may_write(cloud: Cloud, tmp_path: Path, where: str) -> None:
    say(cloud, "", cloud.keys_profile())
    folder = cloud.home / ".aws"
    (folder / "credentials" if where == "file" else folder).chmod(0o777)
    result = check(cloud, tmp_path, {})
    assert result.returncode == 2 and str(folder) in result.stdout, result.stdout
    assert cloud.found_in(result.stdout.encode()) == []


# ---- half of a configuration ----

FULL, TOKEN_FILE = "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"
WEB, ROLE = "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"
TOKEN = "AWS_CONTAINER_AUTHORIZATION_TOKEN"
PAIR = {WEB: "/tmp/token", ROLE: role_arn("r")}
KEYS = {"AWS_ACCESS_KEY_ID": "AKIAX", "AWS_SECRET_ACCESS_KEY": "x"}
HALF = [
    ({"AWS_ACCESS_KEY_ID": "AKIAX"}, "AWS_SECRET_ACCESS_KEY"),
    ({"AWS_SECRET_ACCESS_KEY": "x"}, "AWS_ACCESS_KEY_ID"),
    ({"AWS_ACCESS_KEY_ID": "AKIAX", "AWS_SECRET_ACCESS_KEY": "x\n"}, "AWS_SECRET_ACCESS_KEY"),
    ({**KEYS, "AWS_SESSION_TOKEN": "t\n"}, "AWS_SESSION_TOKEN"),
    ({FULL: "http://127.0.0.1:9/", TOKEN: "t\n"}, TOKEN),
    ({WEB: "/tmp/token"}, ROLE),
    ({ROLE: role_arn("r")}, WEB),
    ({**PAIR, ROLE: "llm"}, ROLE),
    ({**PAIR, WEB: "tmp/token"}, WEB),
    ({**PAIR, "AWS_REGION": "x@evil.example:443/#"}, "AWS_REGION"),
    ({**PAIR, "AWS_ENDPOINT_URL_STS": "http://sts.example"}, "AWS_ENDPOINT_URL_STS"),
    ({"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "x"}, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"),
    ({"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "@evil.example/"}, "RELATIVE_URI"),
    ({FULL: "http://example.com/creds"}, FULL),
    ({FULL: "http://169.254.169.254/latest"}, FULL),
    ({FULL: "http://127.0.0.1.evil.example/"}, FULL),
    ({FULL: "http://127.0.0.1@evil.example/"}, FULL),
    ({FULL: "ftp://127.0.0.1/"}, FULL),
    ({FULL: "http://127.0.0.1:9/", TOKEN_FILE: "token"}, TOKEN_FILE),
    ({"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://10.0.0.1"}, "AWS_EC2_METADATA_SERVICE_ENDPOINT"),
    ({"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "IPv5"}, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"),
]  # fmt: skip


@pytest.mark.parametrize(("env", "variable"), HALF)
def test_half_of_a_configuration(cloud: Cloud, tmp_path: Path, env, variable: str) -> None:
    """It is said before anything starts, by the variable's name, whatever else there is."""
    result = check(cloud, tmp_path, env)
    assert result.returncode == 2 and variable in result.stdout, result.stdout
    assert not cloud.imds.calls


def test_serve_says_so_too(cloud: Cloud, start) -> None:
    sidekey = start(cloud.world.config(), {"AWS_ACCESS_KEY_ID": "AKIAX"}, wait=False)
    sidekey.expected_death = True
    assert sidekey.wait_end() == 2
    assert "AWS_SECRET_ACCESS_KEY" in sidekey.text()


def test_instance_that_is_asked_for_and_forbidden(cloud: Cloud, tmp_path: Path) -> None:
    env = {"AWS_EC2_METADATA_DISABLED": "true"}
    result = check(cloud, tmp_path, env, {"credentials": "instance"})
    assert result.returncode == 2 and "AWS_EC2_METADATA_DISABLED" in result.stdout


# ---- the first that is there, and no other ----


def refused(cloud: Cloud, sidekey: Sidekey, *said: str) -> None:
    """Calls get credential_refused, not to be retried; the log says all of that in one line."""
    wait_for(lambda: chat(sidekey).code == "credential_refused", 10, sidekey.text())
    answer = chat(sidekey)
    assert (answer.status, answer.header("x-should-retry")) == (503, "false")
    for word in (b"arn:", b"AWS_", cloud.world.principal.access_key.encode()):
        assert word not in answer.body, "the agent need not know"
    wait_for(
        lambda: any(all(w in json.dumps(r) for w in said) for r in sidekey.records()),
        5,
        f"{said} in one line of {sidekey.text()}",
    )
    assert not cloud.world.api.requests


def unknown_keys(cloud: Cloud) -> dict[str, str]:
    return {**cloud.task(), "AWS_ACCESS_KEY_ID": "AKIANOBODY", "AWS_SECRET_ACCESS_KEY": "x" * 40}


def no_token_file(cloud: Cloud) -> dict[str, str]:
    env = {**cloud.web(), **cloud.task()}
    cloud.token_file.unlink()
    return env


def no_container_token(cloud: Cloud) -> dict[str, str]:
    say(cloud, "", cloud.keys_profile())
    env = cloud.pod()
    cloud.token_file.unlink()
    return env


def too_long_a_token(cloud: Cloud) -> dict[str, str]:
    """With its field's name it has exactly the room that there is, and no place for an end."""
    say(cloud, "", cloud.keys_profile())
    env = cloud.pod()
    cloud.token_file.write_text("t" * (64 * 1024 - len("Authorization: ")))
    return env


def refusing_sts(cloud: Cloud) -> dict[str, str]:
    env = {**cloud.web(), **cloud.task()}
    cloud.sts.roles.clear()
    return env


def refusing_container(cloud: Cloud) -> dict[str, str]:
    say(cloud, "", cloud.keys_profile())
    cloud.container.fail(error("AccessDeniedException", 400))
    return cloud.task()


def no_sign_in(cloud: Cloud) -> dict[str, str]:
    cloud.write_shared(cloud.sso.profile("default").replace("[profile default]", "[default]"))
    return {}


BROKEN_FIRST = {
    "environment": (unknown_keys, "UnrecognizedClientException", {"container", "imds"}),
    "web identity": (no_token_file, "AWS_WEB_IDENTITY_TOKEN_FILE", {"container", "imds"}),
    "its role": (refusing_sts, "AccessDenied", {"container", "imds"}),
    "its token": (no_container_token, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", {"imds"}),
    "its long token": (too_long_a_token, "TooLarge", {"imds"}),
    "container": (refusing_container, "AccessDeniedException", {"imds"}),
    "sign-in": (no_sign_in, "aws sso login", {"imds"}),
}


@pytest.mark.parametrize(
    ("arrange", "said", "never"), BROKEN_FIRST.values(), ids=BROKEN_FIRST.keys()
)
def test_first_that_fails_is_final(cloud: Cloud, begin, arrange, said: str, never) -> None:
    """A broken identity is no reason to become somebody else, such as the node."""
    sidekey = begin(arrange(cloud), wait=False)
    wait_for(lambda: said in sidekey.text(), 10, said)
    assert (chat(sidekey).code or "").startswith("credential_")
    assert all(not getattr(cloud, name).calls for name in never)
    assert askers(cloud) <= {None}


def test_nothing_at_all(cloud: Cloud, begin) -> None:
    env = {"AWS_EC2_METADATA_DISABLED": "true"}
    sidekey = begin(env, wait=False)
    refused(cloud, sidekey, "NoIdentity", "AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE",
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "profile", "AWS_EC2_METADATA_DISABLED")  # fmt: skip
    assert not cloud.imds.calls


@pytest.mark.parametrize("word", ["environment", "webIdentity", "container"])
def test_named_and_not_there(cloud: Cloud, begin, word: str) -> None:
    """The one that is named is the only one, though the instance would have a role."""
    sidekey = begin({}, {"credentials": word}, wait=False)
    refused(cloud, sidekey, "NoIdentity")
    assert not cloud.imds.calls


def test_profile_that_is_asked_for_and_not_there(cloud: Cloud, tmp_path: Path) -> None:
    result = check(cloud, tmp_path, {}, {"credentials": "profile"})
    assert result.returncode == 2 and "profile default" in result.stdout


# ---- the instance ----


def test_version_1_is_never_taken(cloud: Cloud, begin) -> None:
    """Where no token is to be had, neither are keys, though the instance would hand them out."""
    cloud.imds.v1 = True
    cloud.imds.fail(error("Forbidden", 403))
    cloud.imds.standing = Fault("error", "Forbidden", 403, only="PUT")
    sidekey = begin({}, wait=False)
    refused(cloud, sidekey, "403")
    assert cloud.imds.without_token == 0 and not cloud.imds.issuer.issued


def test_hop_limit_is_hinted_at(cloud: Cloud, begin) -> None:
    cloud.imds.fail(Fault("stall", only="PUT"))
    sidekey = begin({}, wait=False)
    wait_for(lambda: "HttpPutResponseHopLimit" in sidekey.text(), 10, "the hint")
    assert chat(sidekey).code == "credential_unavailable"
    cloud.imds.fail(None)
    sidekey.wait_ready(15)
    assert chat(sidekey).status == 200


@pytest.mark.parametrize("what", ["no role", "no success"])
def test_instance_without_keys(cloud: Cloud, begin, what: str) -> None:
    if what == "no role":
        cloud.imds.role = ""
    else:
        cloud.imds.code = "AssumeRoleUnauthorizedAccess"
    sidekey = begin({}, wait=False)
    said = "role" if what == "no role" else cloud.imds.code
    wait_for(lambda: said in sidekey.text(), 10, said)
    assert (chat(sidekey).code or "").startswith("credential_")
    cloud.imds.role, cloud.imds.code = "node", "Success"
    sidekey.wait_ready(15)


def test_token_that_is_good_no_more(cloud: Cloud, begin) -> None:
    """A 401 asks for another token, once."""
    cloud.imds.faults.append(Fault("error", "Unauthorized", 401, only="GET"))
    assert chat(begin({})).status == 200
    assert [c.asked.split()[0] for c in cloud.imds.calls] == ["PUT", "GET", "PUT", "GET", "GET"]
