# SPDX-License-Identifier: Apache-2.0
"""Goal: whatever is wrong with the server's certificate or its handshake, the key is not sent: not
a byte of the application comes through, and the agent is told which kind of failure it was."""

import datetime
import ipaddress
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID
from fakes.agent import CHAT, HELLO, Agent
from fakes.apibase import ApiBase
from fakes.pki import DAY, Authority, Pair, subject
from fakes.raw import Raw, asks_again_and_again, record
from fakes.sidekey import Sidekey
from fakes.toxic import RESET
from fakes.wire import wait_for
from fakes.world import World

UNTRUSTED, UNREACHABLE = "upstream_untrusted", "upstream_unreachable"
LOOPBACK = x509.SubjectAlternativeName(
    [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
)
SERVER = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
LEAF = x509.BasicConstraints(ca=False, path_length=None)


def pem(key) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


class Issuer(Authority):
    """One whose certificates can be wrong in every way that the format has."""

    def issue(self, life=(-DAY, 30 * DAY), usage=SERVER, names=LOOPBACK, key=None) -> Pair:
        key = key or ec.generate_private_key(ec.SECP256R1())
        extensions = [(LEAF, True)]
        extensions += [(usage, False)] if usage else []
        extensions += [(names, False)] if names else []
        cert = self._sign(subject("127.0.0.1"), key, life, extensions)
        return Pair(cert.public_bytes(serialization.Encoding.PEM), pem(key))

    def below(self, name: str, extensions: list, key=None) -> "Issuer":
        """Another that this one has signed, with these extensions."""
        made = Issuer(name)
        made.key = key or made.key
        made.cert = self._sign(made.name, made.key, (-DAY, 30 * DAY), extensions)
        return made

    def chained(self, made: "Issuer") -> Pair:
        pair = made.issue()
        return Pair(pair.cert + made.pem, pair.key)


def authority_of(length: int = 0) -> list:
    return [(x509.BasicConstraints(ca=True, path_length=length), True)]


def constrained(ca: Issuer) -> Pair:
    elsewhere = x509.NameConstraints(
        [x509.DNSName("elsewhere.example"), x509.IPAddress(ipaddress.ip_network("10.0.0.0/8"))],
        None,
    )
    return ca.chained(ca.below("elsewhere", [*authority_of(), (elsewhere, True)]))


def too_long(ca: Issuer) -> Pair:
    """A CA below one that may have none below it."""
    middle = ca.below("middle", authority_of(0))
    last = middle.below("last", authority_of(0))
    pair = last.issue()
    return Pair(pair.cert + last.pem + middle.pem, pair.key)


def self_signed(_ca: Issuer) -> Pair:
    other = Issuer("127.0.0.1")
    pair = other.issue(key=other.key)
    return pair


def digest(name: str) -> Callable[[Issuer], Pair]:
    """Signed by openssl, for cryptography does not sign with broken digests any more."""

    def make(ca: Issuer) -> Pair:
        folder, pair = ca.folder, ca.issue()
        signer = ca.below("RSA", authority_of(), rsa.generate_private_key(65537, 2048))
        (folder / "ca.pem").write_bytes(signer.pem)
        (folder / "ca.key").write_bytes(pem(signer.key))
        (folder / "leaf.key").write_bytes(pair.key)
        (folder / "ext").write_text("subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n")
        openssl(folder, "req", "-new", "-key", "leaf.key", "-subj", "/CN=127.0.0.1", "-out", "r")
        signing = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", f"-{name}"]
        openssl(
            folder, "x509", "-req", "-in", "r", *signing, "-extfile", "ext", "-out", "leaf.pem"
        )
        return Pair((folder / "leaf.pem").read_bytes() + signer.pem, pair.key)

    return make


def openssl(folder: Path, *arguments: str) -> None:
    done = subprocess.run(
        ["openssl", *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def names(*alternatives: x509.GeneralName) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName(alternatives)


CERTIFICATES: dict[str, Callable[[Issuer], Pair]] = {
    "expired": lambda ca: ca.issue(life=(-30 * DAY, -DAY)),
    "expired a minute ago": lambda ca: ca.issue(life=(-DAY, -datetime.timedelta(minutes=1))),
    "not yet valid": lambda ca: ca.issue(life=(DAY, 30 * DAY)),
    "wrong name": lambda ca: ca.issue(names=names(x509.DNSName("elsewhere.example"))),
    "wrong address": lambda ca: ca.issue(
        names=names(x509.IPAddress(ipaddress.ip_address("127.0.0.2")))
    ),
    "address as a DNS name": lambda ca: ca.issue(names=names(x509.DNSName("127.0.0.1.example"))),
    "wildcard": lambda ca: ca.issue(names=names(x509.DNSName("*"), x509.DNSName("*.0.0.1"))),
    "self-signed": self_signed,
    "unknown CA": lambda _: Issuer("unknown CA").issue(),
    "another CA of the same name": lambda _: Issuer("test CA").issue(),
    "intermediate missing": lambda ca: ca.below("middle", authority_of()).issue(),
    "intermediate without CA:TRUE": lambda ca: ca.chained(ca.below("middle", [(LEAF, True)])),
    "intermediate without constraints": lambda ca: ca.chained(ca.below("middle", [])),
    "path too long": too_long,
    "name constraint violated": constrained,
    "for clients alone": lambda ca: ca.issue(
        usage=x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    ),
    "for code alone": lambda ca: ca.issue(
        usage=x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])
    ),
    "RSA of 1024 bits": lambda ca: ca.issue(key=rsa.generate_private_key(65537, 1024)),
    "signed with SHA-1": digest("sha1"),
    "signed with MD5": digest("md5"),
}


@pytest.fixture(scope="module")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Issuer:
    made = Issuer("test CA")
    made.folder = tmp_path_factory.mktemp("openssl")
    return made


@pytest.fixture
def begin(world: World, start, issuer: Issuer) -> Callable[[int], Sidekey]:
    """sidekey towards a TLS server on that port."""
    issuer.write(world.ca)

    def run(port: int) -> Sidekey:
        base, times = f"https://127.0.0.1:{port}/v1", {"connect": "1s"}
        target = world.target(apiBase=base, timeouts=times)
        return start(world.config(target), world.env())

    return run


def weak(context: ssl.SSLContext) -> ssl.SSLContext:
    """A server that would go on: all that refuses is at our side."""
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def ask(sidekey: Sidekey) -> str | None:
    with Agent(sidekey.port) as agent:
        answer = agent.call("POST", CHAT, HELLO)
        assert answer.status in (502, 504), answer.body
        assert b"127.0.0.1" not in answer.body, "no internal address"
        return answer.code


def assert_nothing_sent(api: ApiBase) -> None:
    wait_for(lambda: api.connections == api.ended, 10, "every connection has ended")
    assert api.connections > 0 and api.application_bytes == 0 and not api.requests


def serve(pair: Pair, folder: Path) -> ssl.SSLContext:
    context = weak(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    context.load_cert_chain(*pair.write(folder, "server"))
    return context


@pytest.mark.once
@pytest.mark.parametrize("how", CERTIFICATES)
def test_certificate(world: World, begin, issuer: Issuer, tmp_path: Path, how: str) -> None:
    context = serve(CERTIFICATES[how](issuer), tmp_path / "server")
    with ApiBase(world.key, world.access, tls=context) as api:
        assert ask(begin(api.port)) == UNTRUSTED
        assert_nothing_sent(api)


def test_good_certificates_of_the_same_issuer(world: World, begin, issuer, tmp_path) -> None:
    """What the matrix makes is refused for its one fault, and not for another."""
    middle = issuer.below("middle", authority_of())
    for pair in (issuer.issue(), issuer.chained(middle), digest("sha256")(issuer)):
        context = serve(pair, tmp_path / "server")
        with ApiBase(world.key, world.access, tls=context) as api:
            with Agent(begin(api.port).port) as agent:
                assert agent.chat().status == 200
            assert len(api.requests) == 1


def only(version: ssl.TLSVersion, context: ssl.SSLContext) -> ssl.SSLContext:
    context.minimum_version = context.maximum_version = version
    return context


def no_shared_cipher(context: ssl.SSLContext) -> ssl.SSLContext:
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AECDH:ADH:NULL:@SECLEVEL=0")
    return context


def refuses_clients(context: ssl.SSLContext) -> ssl.SSLContext:
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=Authority("nobody's CA").pem.decode())
    return context


HANDSHAKES: dict[str, Callable[[ssl.SSLContext], ssl.SSLContext]] = {
    "TLS 1.0 alone": lambda context: only(ssl.TLSVersion.TLSv1, context),
    "TLS 1.1 alone": lambda context: only(ssl.TLSVersion.TLSv1_1, context),
    "no shared cipher": no_shared_cipher,
    "client certificate refused": refuses_clients,
    "client certificate refused, TLS 1.2": lambda context: only(
        ssl.TLSVersion.TLSv1_2, refuses_clients(context)
    ),
}


def resets(peer: socket.socket) -> None:
    peer.recv(65536)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    peer.close()


def says(raw: bytes) -> Callable[[socket.socket], None]:
    def answer(peer: socket.socket) -> None:
        peer.recv(65536)
        peer.sendall(raw)
        peer.shutdown(socket.SHUT_WR)

    return answer


HELLO_RECORD = record(22, b"\2\0\0\x36\3\3" + bytes(32) + b"\0" * 20)
RAW: dict[str, tuple[Callable[[socket.socket], None], str]] = {
    "plain HTTP": (says(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"), UNTRUSTED),
    "an answer in plain HTTP": (says(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"), UNTRUSTED),
    "garbage": (says(bytes(range(1, 256)) * 8), UNTRUSTED),
    "half a server hello": (says(HELLO_RECORD[:20]), UNREACHABLE),
    "a hello that is none": (says(HELLO_RECORD), UNTRUSTED),
    "a record that is too long": (says(b"\x16\3\3\xff\xff" + bytes(70000)), UNTRUSTED),
    "data before the handshake": (says(record(23, b"HTTP/1.1 200 OK\r\n\r\n")), UNTRUSTED),
    "alert: handshake failure": (says(record(21, b"\2\x28")), UNTRUSTED),
    "alert: unrecognized name": (says(record(21, b"\2\x70")), UNTRUSTED),
    "close in the handshake": (says(b""), UNREACHABLE),
    "reset in the handshake": (resets, UNREACHABLE),
    "stall in the handshake": (lambda peer: None, UNREACHABLE),
    "stall after half a hello": (lambda peer: peer.sendall(HELLO_RECORD[:20]), UNREACHABLE),
}


@pytest.fixture(params=RAW)
def raw(request: pytest.FixtureRequest) -> Iterator[tuple[Raw, str]]:
    answer, code = RAW[request.param]
    server = Raw(answer)
    yield server, code
    server.close()


def test_no_handshake_at_all(world: World, begin, raw: tuple[Raw, str]) -> None:
    server, code = raw
    assert ask(begin(server.port)) == code
    assert server.connections > 0
    assert world.found_in(server.received) == []
    assert b"chat/completions" not in server.received


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("how", HANDSHAKES)
def test_handshake(world: World, begin, issuer: Issuer, tmp_path: Path, how: str) -> None:
    """Not with asyncio, which closes without the alert."""
    context = HANDSHAKES[how](serve(issuer.issue(), tmp_path / "server"))
    server = Raw(lambda peer: context.wrap_socket(peer, server_side=True))
    assert ask(begin(server.port)) == UNTRUSTED
    assert server.connections > 0 and server.received == b""
    server.close()


@pytest.mark.parametrize(
    "offer",
    [("-tls1_2", "-cipher", "kDHE"), ("-tls1_3", "-groups", "ffdhe2048")],
    ids=["TLS 1.2", "TLS 1.3"],
)
def test_finite_fields_are_not_offered(begin, issuer: Issuer, tmp_path: Path, offer) -> None:
    """In TLS 1.2 the server picks the prime: one of 10,000 bits takes 0.2 s at our side, twice."""
    pair = issuer.issue(key=rsa.generate_private_key(65537, 2048))
    cert, key = pair.write(tmp_path / "server", "server")
    command = ["openssl", "s_server", "-cert", cert, "-key", key, "-accept", "127.0.0.1:0", *offer]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as server:
        said = iter(server.stdout.readline, "")
        port = next(int(line.split(":")[1]) for line in said if line.startswith("ACCEPT"))
        try:
            assert ask(begin(port)) == UNTRUSTED
        finally:
            server.kill()
        assert "POST" not in server.stdout.read()


def test_hello_requests_without_end(plain_world: World, start) -> None:
    world, server = plain_world, Raw(asks_again_and_again)
    sidekey = start(world.beside(server.port, timeouts={"connect": "1s"}), world.env())
    with Agent(sidekey.port) as agent, Agent(sidekey.port, timeout=5) as other:
        agent.begin("POST", CHAT, {**HELLO, "model": "long"})
        wait_for(lambda: server.connections > 0, 10, "the connection")
        assert other.chat().status == 200
        assert agent.read().code == UNREACHABLE
    server.close()
