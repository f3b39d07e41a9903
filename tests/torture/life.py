# SPDX-License-Identifier: Apache-2.0
"""One short life of sidekey, from its start to SIGTERM, in which something fails; what must hold
of it whatever that was."""

import dataclasses
import hashlib
import os
import shutil
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

from fakes.agent import CHAT, HELLO, STREAM, Agent, Answer, Closed
from fakes.apibase import Act, ApiBase
from fakes.pki import Authority, server_context
from fakes.reload import IN_FORCE
from fakes.sidekey import SANITIZED, Sidekey
from fakes.wire import Request, Server, wait_for
from fakes.world import World

TOKEN = "sk-sidekey-" + "70" * 32
CALLER = [("Authorization", f"Bearer {TOKEN}")]
SAID = Act(200, (("Content-Type", "application/json"),), b'{"text": "hello"}')
BOUNDARY = "d5f0c1a2b3"
FORM = f"multipart/form-data; boundary={BOUNDARY}"
UPLOAD = (
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
    f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n'
    f"Content-Type: audio/wav\r\n\r\n{'RIFF' * 30_000}\r\n--{BOUNDARY}--\r\n"
).encode()
# Every wait has an end of sidekey's own that is far below it: hanging is not being slow.
SECONDS = 90 if SANITIZED else 30
TOLD_OF_RELOAD = (
    IN_FORCE,
    "the reload was given up; the running configuration stays in force",
    "the new configuration is refused; the running one stays in force",
    "the roles could not be started",
)
# An allocation that fails may end a process by abort(3), and nothing else.
CRASHES = ("SEGV", "BUS", "ILL", "FPE", "SYS", "TRAP", "STKFLT")
# Of AddressSanitizer its findings, and not that it could not allocate itself.
ALARMS = ("ERROR: AddressSanitizer: ", "runtime error:", "broke out of", "stack smashing", "free():", "corrupted")


class Place(World):
    """The usual world, a caller with a token, an upstream that is not what it says, and a server
    that nobody has any business with."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.api.models["None"] = SAID  # a body that is no JSON: the upload
        self.impostor = ApiBase(tls=server_context(Authority("another").server()))
        self.bystander = Server()
        # Of the sandbox, what this kernel has, once that is known.
        self.required: list[str] = []
        self.boxes: list[dict] = []

    def __enter__(self) -> Self:
        super().__enter__()
        self.impostor.start()
        self.bystander.start()
        return self

    def __exit__(self, *_) -> None:
        self.bystander.stop()
        self.impostor.stop()
        super().__exit__()

    def whole_config(self) -> dict:
        timeouts = {"connect": "2s", "firstByte": "5s", "idle": "5s"}
        main = self.target(
            apiBase=self.api.base.replace("127.0.0.1", "localhost"),
            operations=["chat", "models", "audio"],
            timeouts=timeouts,
            required=True,
        )
        impostor = self.target(
            apiBase=self.impostor.base, required=False, timeouts={**timeouts}
        )
        digest = hashlib.sha256(TOKEN.encode()).hexdigest()
        return {
            "targets": {"main": main, "impostor": impostor},
            "models": [
                {"match": "impostor", "target": "impostor"},
                {"match": "forbidden", "target": "main"},
                {"match": "*", "target": "main"},
            ],
            "callers": [
                {
                    "name": "researcher",
                    "token": f"sha256:{digest}",
                    "models": ["gpt-4o", "whisper-1", "impostor"],
                }
            ],
            "sandbox": {"require": self.required},
            "secrets": {"failureTtl": "1s"},
            "limits": {"drain": "3s", "headerTimeout": "5s"},
        }


@dataclasses.dataclass
class Life:
    """What has become of it. status: the program's; failed: what the fault's maker told."""

    text: str = ""
    failed: str = ""
    status: int | None = None
    faults: list[str] = dataclasses.field(default_factory=list)
    answers: dict[str, bytes] = dataclasses.field(default_factory=dict)
    boxes: list[dict] = dataclasses.field(default_factory=list)
    received: bytearray = dataclasses.field(default_factory=bytearray)

    def wrong(self, what: str) -> None:
        self.faults.append(what)


def box_of(record: dict) -> dict:
    """What of a role's box must not depend on luck."""
    names = ("seccomp_rules", "landlock_abi", "landlock_net", "landlock_scope", "secret_pages")
    return {"process": record["process"], **{name: record[name] for name in names}}


def sentences(text: str) -> list[str]:
    """The lines that tell of more than the usual: of level error, or not of the log at all."""
    usual = ('"level":"info"', '"level":"warn"', "failed ", "allocations ")
    return [line for line in text.splitlines() if not any(mark in line for mark in usual)]


class Teller:
    """Lives a life, and notes in it whatever must not be."""

    def __init__(self, place: Place, sidekey: Sidekey) -> None:
        self.place, self.sidekey, self.life = place, sidekey, Life()

    def alive(self) -> bool:
        return self.sidekey.alive()

    def within(self, condition: Callable[[], object], what: str) -> bool:
        """Waits for it, or for the program's end; noted when neither comes."""
        try:
            wait_for(lambda: condition() or not self.alive(), SECONDS, what)
        except AssertionError:
            self.life.wrong(f"it hangs: neither {what} nor an end")
            return False
        return self.alive()

    # ---- calls ----

    def exchange(self, method: str, path: str, body, headers) -> Answer | None:
        """None: no answer, and the connection's end. A call that does not end is a fault."""
        try:
            with Agent(self.sidekey.port, timeout=SECONDS, received=self.life.received) as agent:
                return agent.call(method, path, body, headers)
        except TimeoutError:
            self.life.wrong(f"{method} {path} does not end")
        except (OSError, Closed):
            pass  # it has ended, or the connection has
        return None

    def served(self, name: str, path: str, body, headers=()) -> bool:
        """A call that is allowed: answered as ever, or refused by a sidekey that says so."""
        answer = self.exchange("POST", path, body, [*CALLER, *headers])
        if answer is None:
            return False
        if answer.code is not None or answer.status != 200:
            if answer.code is None:
                self.life.wrong(f"{name}: the upstream answers {answer.status}")
            return False
        known = self.life.answers.setdefault(name, answer.body)
        if answer.body != known:
            self.life.wrong(f"{name}: not the upstream's answer: {answer.body!r}")
        return True

    def refused(self, name: str, body: dict, headers) -> None:
        answer = self.exchange("POST", CHAT, body, headers)
        if answer is not None and answer.code is None:
            self.life.wrong(f"{name} is answered {answer.status} by an upstream")

    def calls(self) -> None:
        self.served("chat", CHAT, HELLO)
        self.served("stream", CHAT, STREAM)
        self.served("upload", "/v1/audio/transcriptions", UPLOAD, [("Content-Type", FORM)])
        self.refused("a call without a token", HELLO, [])
        self.refused("a model of other callers", {**HELLO, "model": "forbidden"}, CALLER)
        self.refused("an untrusted upstream", {**HELLO, "model": "impostor"}, CALLER)

    # ---- the program ----

    def signal(self, number: signal.Signals) -> None:
        if self.alive():
            os.kill(self.sidekey.pid, number)

    def told_of_reload(self) -> bool:
        """Its own line may be the one that could not be written."""
        return any(self.sidekey.records(msg=text) for text in TOLD_OF_RELOAD) or bool(
            self.sidekey.records(msg="a generation has ended", generation=1)
        )

    def look_at_roles(self) -> None:
        """A role at work without its box would be the worst of all faults."""
        for pid in self.sidekey.children():
            try:
                lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            except OSError:
                continue  # it has just ended
            status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
            if status.get("State", "Z").startswith("Z"):
                continue
            if (status["Seccomp"], status["NoNewPrivs"]) != ("2", "1"):
                self.life.wrong(f"process {pid} is at work without a filter: {status}")
            if int(status["CapEff"], 16) | int(status["CapPrm"], 16):
                self.life.wrong(f"process {pid} has kept capabilities: {status}")

    def live(self) -> None:
        if not self.within(lambda: self.sidekey.readiness() == 200, "readiness"):
            return
        self.look_at_roles()
        self.calls()
        self.signal(signal.SIGUSR1)
        self.calls()
        self.signal(signal.SIGHUP)
        if not self.within(self.told_of_reload, "an end of the reload"):
            return
        self.calls()
        # One thing has failed, long ago: whoever goes on has to be well again.
        self.within(lambda: self.served("chat", CHAT, HELLO), "a call that succeeds")

    def end(self) -> None:
        unasked = not self.alive()
        self.signal(signal.SIGTERM)
        try:
            self.life.status = self.sidekey.wait_end(SECONDS)
        except AssertionError:
            self.life.wrong("it does not end on SIGTERM")
        self.life.text = self.sidekey.text()
        self.judge_end(unasked)

    def judge_end(self, unasked: bool) -> None:
        life, errors = self.life, self.sidekey.records(level="error")
        if unasked and life.status == 0:
            life.wrong("it ended by itself with status 0")
        if life.status not in (0, None) and not sentences(life.text):
            life.wrong(f"it ended with {life.status} and without a sentence")
        if life.status is not None and life.status < 0 and life.status != -signal.SIGABRT:
            life.wrong(f"the parent died of signal {-life.status}")
        for record in errors:
            if record.get("signal") in CRASHES:
                life.wrong(f"{record['process']} crashed: {record}")
        for alarm in ALARMS:
            if alarm in life.text:
                life.wrong(f"the log says {alarm!r}")
        life.boxes = [box_of(r) for r in self.sidekey.records(msg="boxed")]
        for box in life.boxes:
            if self.place.boxes and box not in self.place.boxes:
                life.wrong(f"a weaker box: {box}")

    def judge_secrets(self) -> None:
        seen = {"the log": self.sidekey.output, "the agent": bytes(self.life.received)}
        for where, data in seen.items():
            for name in self.place.found_in(data):
                self.life.wrong(f"{where} has the {name}")


def live(place: Place, folder: Path, known: dict[str, bytes], env=None, wrap=()) -> Life:
    """known: the answers of a life without a fault, or {}."""
    folder.mkdir()
    sidekey = Sidekey(
        place.whole_config(), folder, {**place.env(), **(env or {})}, wait=False, wrap=wrap
    )
    teller = Teller(place, sidekey.start())
    teller.life.answers = dict(known)
    try:
        teller.live()
        teller.end()
        teller.judge_secrets()
    finally:
        sidekey.kill()
        shutil.rmtree(folder)
        place.api.loop.call_soon_threadsafe(forget_executed, place.api)
        place.store.loop.call_soon_threadsafe(place.store.requests.clear)
    teller.life.received.clear()
    return teller.life


def unexecuted(api: ApiBase) -> list[Request]:
    executed = {id(request) for request in api.executed}
    return [request for request in api.requests if id(request) not in executed]


def forget_executed(api: ApiBase) -> None:
    """In its own thread: what was well need not be kept, of thousands of lives."""
    api.requests = unexecuted(api)
    api.executed.clear()


def live_well(place: Place, folder: Path) -> Life:
    """The life that others are held against; from here on, the sandbox is demanded as it is."""
    life = live(place, folder, {})
    assert not life.faults and life.status == 0, readable(life)
    keeper = next(box for box in life.boxes if box["process"] == "keeper")
    has = {
        "landlock": keeper["landlock_abi"] > 0,
        "landlockNet": keeper["landlock_net"] == "yes",
        "secretPages": keeper["secret_pages"] == "memfd_secret",
    }
    place.required = [name for name, there in has.items() if there]
    place.boxes = life.boxes
    return life


def strangers(place: Place) -> list[str]:
    """What has gone elsewhere than to the upstream that it was meant for, since the last look."""
    found = [f"the bystander was dialled {place.bystander.connections} times"]
    found = found if place.bystander.connections else []
    if place.impostor.application_bytes:
        found.append("the untrusted upstream was told something")
    found += [f"the upstream refused {r.raw_head!r}" for r in unexecuted(place.api)]
    place.api.requests.clear()
    place.api.executed.clear()
    return found


def readable(life: Life) -> str:
    return f"faults: {life.faults}, status: {life.status}\n{life.text}"


# ---- many ----

# How many lives a process gets in each way; `make torture` lives every one.
LIVES = int(os.environ.get("SIDEKEY_TORTURE_LIVES") or ("5" if SANITIZED else "16"))
AT_A_TIME = 2 * (os.cpu_count() or 2)


def spread(count: int) -> list[int]:
    """Of the numbers 1 to count, LIVES that lie evenly (0: all)."""
    step = max(1, count // LIVES) if LIVES else 1
    return list(range(1, count + 1, step))


def torment(place: Place, numbers: list[int], one: Callable[[int], Life]) -> dict[int, Life]:
    """Lives one for each number; fails with all that went wrong, the first two in full."""
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        lives = dict(zip(numbers, pool.map(one, numbers), strict=True))
    bad = {n: life for n, life in lives.items() if life.faults}
    told = [f"{n}: {life.faults} {life.failed}" for n, life in bad.items()]
    told += [f"--- {n}\n{readable(life)}" for n, life in list(bad.items())[:2]]
    assert not bad, "\n".join(told)
    assert strangers(place) == []
    return lives
