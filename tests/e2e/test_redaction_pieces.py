# SPDX-License-Identifier: Apache-2.0
"""Goal: what redaction does to a stream depends on no secret but the one that is in it: not a byte
of any other is changed, none of a whole frame is held, and the sizes of pieces say nothing."""

import base64
import random
import string
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest
from fakes.agent import CHAT, Agent
from fakes.apibase import Act, ApiBase
from fakes.bedrock_answers import frame
from fakes.dictated import Dictated
from fakes.sidekey import Sidekey
from fakes.world import World

MEGABYTES = 10
EVENT_STREAM = "application/vnd.amazon.eventstream"


def body_of(model: str) -> dict:
    return {"model": model, "messages": [], "stream": True}


# ---- nothing to overwrite ----


def alike(key: str) -> Callable[[random.Random], str]:
    """Texts that are made of what a secret is made of, up to most of a secret itself."""
    encoded = base64.b64encode(key.encode()).decode()
    near = (key[:-1], key[1:], key.upper(), key.encode().hex()[:-1], encoded[:-6], encoded[6:])
    letters = string.ascii_letters + string.digits + "-_+/=%."
    escapes = ("\\u0073k-", "\\/", "%73k-", "\\n", "é", "\\\\", " ")

    def text(chance: random.Random) -> str:
        kind = chance.randrange(4)
        if kind == 0:
            return chance.choice(near)
        if kind == 1:
            return "".join(chance.choices(escapes, k=50))
        return "".join(chance.choices(letters, k=chance.randrange(4000)))

    return text


def events(key: str) -> Iterator[bytes]:
    chance, text = random.Random(7), alike(key)
    size = 0
    while size < MEGABYTES << 20:
        event = f'data: {{"choices":[{{"delta":{{"content":"{text(chance)}"}}}}]}}\n\n'.encode()
        size += len(event)
        yield event


def document(key: str) -> bytes:
    """One string of JSON, of ten megabytes."""
    chance, text = random.Random(8), alike(key)
    size, parts = 0, [b'{"data":[{"embedding":"']
    while size < MEGABYTES << 20:
        parts.append(text(chance).encode() + b"-")  # or two of them could make a secret
        size += len(parts[-1])
    return b"".join(parts) + b'"}]}'


@pytest.mark.parametrize("chunked", [False, True], ids=["counted", "chunked"])
@pytest.mark.parametrize("form", ["events", "document"])
def test_ten_megabytes_stay_what_they_are(
    plain_world: World, plain_agent: Agent, form: str, chunked: bool
) -> None:
    streamed = form == "events"
    body = b"".join(events(plain_world.key)) if streamed else document(plain_world.key)
    kind = "text/event-stream" if streamed else "application/json"
    if chunked:
        dictated = Dictated(plain_world.api, kind)
        plain_world.api.models["m"] = dictated.act
        cuts = sorted({0, len(body), *random.Random(9).sample(range(1, len(body)), 500)})
        for start, end in pairwise(cuts):
            dictated.say(body[start:end])
        dictated.end()
    else:
        plain_world.api.models["m"] = Act(200, (("Content-Type", kind),), body)
    answer = plain_agent.call("POST", CHAT, {**body_of("m"), "stream": streamed})
    assert answer.complete and len(answer.body) == len(body)
    assert answer.body == body


# ---- a secret in two pieces ----

SHORT = b"~~~>?k7/Qz+9"  # in base64 it has digits that base64url has others for
FORMS = {
    "raw": SHORT,
    "percent": b"".join(b"%%%02x" % byte for byte in SHORT),
    "percent where it must": b"~~~%3E%3Fk7%2FQz%2B9",
    "JSON escapes": b"".join(b"\\u%04X" % byte for byte in SHORT),
    "JSON escapes where PHP has them": SHORT.replace(b"/", b"\\/"),
    "hex": SHORT.hex().encode(),
    "HEX": SHORT.hex().upper().encode(),
    **{f"base64, {n} before": base64.b64encode(b"xyz"[:n] + SHORT) for n in range(3)},
    **{f"base64url, {n} before": base64.urlsafe_b64encode(b"xyz"[:n] + SHORT) for n in range(3)},
}


def test_a_secret_cut_in_two_anywhere(plain_world: World, start) -> None:
    """The second piece is sent when something of the first is at the agent: they cannot meet."""
    plain_world.key = plain_world.api.key = SHORT.decode()
    plain_world.store.put(plain_world.key_arn, plain_world.key)
    sidekey = start(plain_world.config(), plain_world.env())
    dictated = Dictated(plain_world.api)
    plain_world.api.models["m"] = dictated.act

    def hear(agent: Agent, first: bytes, second: bytes) -> bytes:
        agent.begin("POST", CHAT, body_of("m"))
        dictated.say(b"\n" + first)
        answer = agent.read_head()
        pieces = agent.pieces(answer)
        next(pieces)
        dictated.say(second + b"\n")
        dictated.end()
        assert b"".join(pieces).endswith(b"\n") and answer.complete
        return answer.body

    with Agent(sidekey.port) as agent:
        for name, text in FORMS.items():
            event = b'data: {"k":"%b"}\n' % text
            whole = hear(agent, event, b"")
            assert len(whole) == len(event) + 2 and whole.count(b"*") >= len(SHORT), name
            for at in range(1, len(event)):
                assert hear(agent, event[:at], event[at:]) == whole, f"{name}, cut at {at}"
        assert [name for name, text in FORMS.items() if text in agent.received] == []
        assert plain_world.found_in(bytes(agent.received)) == []


# ---- frames ----


def frames_by_last_byte() -> list[bytes]:
    """One for each byte that a frame can end in: it is the last of its checksum."""
    found: dict[int, bytes] = {}
    number = 0
    while len(found) < 256:
        made = frame("contentBlockDelta", {"delta": {"text": f"word {number}"}})
        found.setdefault(made[-1], made)
        number += 1
    return [found[byte] for byte in range(256)]


def test_a_frame_is_not_held_back(plain_world: World, plain_agent: Agent) -> None:
    """Each arrives whole while the upstream waits for that with the next."""
    dictated = Dictated(plain_world.api, EVENT_STREAM)
    plain_world.api.models["m"] = dictated.act
    plain_agent.begin("POST", CHAT, body_of("m"))
    sent = frames_by_last_byte()
    dictated.say(sent[0])
    answer = plain_agent.read_head()
    pieces = plain_agent.pieces(answer)
    for this, following in pairwise([*sent, b""]):
        assert next(pieces) == this, f"ends in {this[-1:]!r}"
        dictated.say(following)
    assert list(pieces) == [] and answer.body == b"".join(sent)


# ---- the sizes of pieces ----

SECRETS = ("0a1b2c3d4e5f", "Zz!#$&'()*,.:;<=>?@[]^`{|}~_Yy" * 3)
ENDS = [text for c in string.printable[:95] for text in (c, 2 * c, 20 * c, f"a{c}", f"{c}a", f"{c}!")]


def sizes_of_pieces(sidekey: Sidekey, api: ApiBase, model: str) -> list[int]:
    """Of lines that are cut behind each of ENDS; the next is sent when what may come has come."""
    dictated = Dictated(api)
    api.models[model] = dictated.act
    with Agent(sidekey.port) as agent:
        agent.begin("POST", CHAT, body_of(model))
        dictated.say(b"\n")
        answer = agent.read_head()
        assert answer.status == 200, answer.code
        pieces = agent.pieces(answer)
        for end in ENDS:
            next(pieces)
            dictated.say(b"\nword " + end.encode())
        next(pieces)
        dictated.end()
        list(pieces)
        assert answer.complete
        return [len(piece) for _, piece in answer.pieces]


def test_sizes_of_pieces_tell_no_secret(plain_world: World, start) -> None:
    """Two targets whose secrets share neither a character nor their length; neither has a blank,
    which is the one thing of its shape that sizes tell (redact.c)."""
    assert not set(SECRETS[0]) & set(SECRETS[1])
    targets, sizes = {}, {}
    with ApiBase(SECRETS[0]) as one, ApiBase(SECRETS[1]) as other:
        apis = {"one": one, "other": other}
        for (name, api), secret in zip(apis.items(), SECRETS):
            arn = plain_world.store.create(name, secret)
            targets[name] = {
                "provider": "openaiCompatible",
                "apiBase": api.base,
                "apiKey": arn,
                "allowPlaintext": True,
                "required": True,
            }
        rules = [{"match": name, "target": name} for name in targets]
        sidekey = start({"targets": targets, "models": rules}, plain_world.env())
        for name, api in apis.items():
            sizes[name] = sizes_of_pieces(sidekey, api, name)
    assert sum(sizes["one"]) == 1 + sum(len(f"\nword {end}") for end in ENDS)
    assert sizes["one"] == sizes["other"]
