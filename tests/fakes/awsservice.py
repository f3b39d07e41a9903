# SPDX-License-Identifier: Apache-2.0
"""What the stand-ins for AWS share: faults on demand, a note of every call, checked signatures."""

import json
import time
import uuid
from collections import deque
from dataclasses import dataclass
from email.utils import formatdate

from fakes.sigv4 import Principal, Rejected, verify
from fakes.wire import Connection, Gone, Request, Server

ACCOUNT = "123456789012"
HUGE_BYTES = 8 * 1024 * 1024
STALL_SECONDS = 60


@dataclass
class Call:
    """What was asked, by whom (None: nobody was believed), and what came of it."""

    principal: str | None
    asked: str
    outcome: str
    at: float


@dataclass
class Fault:
    """Something that goes wrong in place of an answer; kind names which."""

    kind: str
    type: str = "InternalServiceError"
    status: int = 500
    message: str = "injected"
    location: str = "http://127.0.0.1:9/"
    only: str = ""  # strikes requests for what begins so, as asked() has it


def error(kind: str, status: int = 400, message: str = "injected") -> Fault:
    return Fault("error", kind, status, message)


def throttle() -> Fault:
    return error("ThrottlingException", 400, "Rate exceeded")


class Faulty(Server):
    """Answers well, unless it was told to fail; identify() and respond() say how."""

    content_type = "application/json"
    opening = b'{"'  # how a good answer begins, for those that are cut short

    def __init__(self, **options) -> None:
        super().__init__(**options)
        self.calls: list[Call] = []
        self.standing: Fault | None = None
        self.faults: deque[Fault] = deque()
        self.delay = 0.0  # before each good answer
        self.clock_offset = 0.0  # how far its clock is ahead of ours

    # ---- what a stand-in says for itself ----

    def asked(self, request: Request) -> str:
        return request.target

    def identify(self, request: Request) -> Principal | None:
        """Who asks; raises Rejected for who may not."""
        raise NotImplementedError

    def respond(self, request: Request, principal: Principal | None) -> bytes:
        raise NotImplementedError

    def refuse(self, connection: Connection, kind: str, message: str, status: int) -> None:
        raise NotImplementedError

    # ---- what the test arranges ----

    def fail(self, fault: Fault | None, times: int | None = None) -> None:
        """Injects a fault: for good (None ends it), or for the next calls only."""
        if times is None:
            self.standing = fault
        elif fault:
            self.faults.extend([fault] * times)

    def outcomes(self) -> list[str]:
        return [c.outcome for c in self.calls]

    # ---- what it answers ----

    def now(self) -> float:
        return time.time() + self.clock_offset

    def headers(self) -> list[tuple[str, str]]:
        return [
            ("Content-Type", self.content_type),
            ("Date", formatdate(self.now(), usegmt=True)),
            ("x-amzn-RequestId", str(uuid.uuid4())),
        ]

    async def handle(self, request: Request, connection: Connection) -> None:
        fault = self._fault_for(request)
        if fault:
            self._note(None, request, fault.type if fault.kind == "error" else fault.kind)
            await self._misbehave(fault, connection)
            return
        principal = None
        try:
            principal = self.identify(request)
            body = self.respond(request, principal)
        except Rejected as refusal:
            self._note(principal, request, refusal.kind)
            self.refuse(connection, refusal.kind, str(refusal), refusal.status)
            return
        self._note(principal, request, "ok")
        await connection.sleep(self.delay)
        connection.answer(200, self.headers(), body)

    def _note(self, principal: Principal | None, request: Request, outcome: str) -> None:
        arn = principal.arn if principal else None
        self.calls.append(Call(arn, self.asked(request), outcome, time.monotonic()))

    def _fault_for(self, request: Request) -> Fault | None:
        wanted = self.asked(request)
        if self.faults and wanted.startswith(self.faults[0].only):
            return self.faults.popleft()
        if self.standing and wanted.startswith(self.standing.only):
            return self.standing
        return None

    async def _misbehave(self, fault: Fault, connection: Connection) -> None:
        html = [("Content-Type", "text/html")]
        if fault.kind == "error":
            self.refuse(connection, fault.type, fault.message, fault.status)
        elif fault.kind == "stall":
            await connection.sleep(STALL_SECONDS)
        elif fault.kind == "stalled body":
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n" + self.opening)
            await connection.sleep(STALL_SECONDS)
        elif fault.kind == "truncate":
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n" + self.opening)
            connection.abort()
        elif fault.kind == "huge":
            connection.answer(200, self.headers(), self.opening + b"x" * HUGE_BYTES)
        elif fault.kind == "redirect":
            connection.answer(307, [("Location", fault.location)], b"")
        elif fault.kind == "html":
            connection.answer(200, html, b"<html><body>Welcome to the portal</body></html>")
        elif fault.kind == "drop":
            connection.abort()
            raise Gone
        else:
            raise AssertionError(f"no such fault: {fault.kind}")


class AwsService(Faulty):
    """A service in one region that admits the principals of a registry, which others may share."""

    service = ""

    def __init__(
        self, region: str = "us-east-1", principals: dict[str, Principal] | None = None, **options
    ) -> None:
        super().__init__(**options)
        self.region = region
        self.principals = {} if principals is None else principals
        self.denied: set[str] = set()

    def admit(self, principal: Principal) -> Principal:
        self.principals[principal.access_key] = principal
        return principal

    def identify(self, request: Request) -> Principal | None:
        return verify(request, self.principals, self.region, self.service, self.now())

    def authorize(
        self, principal: Principal, action: str, resource: str, status: int = 400
    ) -> None:
        if principal.arn not in self.denied and principal.allows(action, resource):
            return
        raise Rejected(
            "AccessDeniedException",
            f"User: {principal.arn} is not authorized to perform: {action} on resource: "
            f"{resource} because no identity-based policy allows the {action} action",
            status,
        )

    def fetches(self, asked: str | None = None) -> int:
        return sum(c.outcome == "ok" and asked in (None, c.asked) for c in self.calls)


class JsonService(AwsService):
    """One operation of AWS's JSON protocol, version 1.1."""

    content_type = "application/x-amz-json-1.1"
    operation = ""  # of X-Amz-Target
    subject = ""  # the member that names what is asked for

    def asked(self, request: Request) -> str:
        return request.json().get(self.subject, "") if request.body.startswith(b"{") else ""

    def get(self, asked: dict, principal: Principal) -> dict:
        raise NotImplementedError

    def respond(self, request: Request, principal: Principal | None) -> bytes:
        assert principal
        if (request.method, request.target) != ("POST", "/"):
            raise Rejected("UnknownOperationException", "POST / is due", 404)
        if request.header("x-amz-target") != self.operation:
            raise Rejected("UnknownOperationException", "X-Amz-Target is wrong", 400)
        if request.header("content-type") != self.content_type:
            raise Rejected("SerializationException", "Content-Type is wrong", 400)
        return json.dumps(self.get(request.json(), principal)).encode()

    def refuse(self, connection: Connection, kind: str, message: str, status: int) -> None:
        body = json.dumps({"__type": kind, "Message": message}).encode()
        connection.answer(status, self.headers(), body)
