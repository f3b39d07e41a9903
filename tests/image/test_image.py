# SPDX-License-Identifier: Apache-2.0
"""Goal: the image that is shipped does its work where clusters run it: built from nothing but the
tree and Debian, with no capability, on a read-only root, under Docker's system-call profile, behind
the egress lock, beside an agent that is another user in the same network, and perhaps among the
same processes."""

import contextlib
import ctypes
import hashlib
import http.client
import json
import signal
import socket
import time
from collections.abc import Iterator

import pytest
from conftest import DATE, MARK, UID, Image, Neighbours
from containers import ARCH, Container
from fakes.apibase import Act
from fakes.dns import NameServer
from fakes.processes import has_secret_pages
from fakes.sidekey import ROLES
from fakes.wire import wait_for
from fakes.world import TEAM

pytestmark = [pytest.mark.once, pytest.mark.timeout(900)]

READY_SECONDS = 20
BODY = '{"model":"gpt-4o","messages":[{"role":"user","content":"hello"}]}'
STREAM = BODY[:-1] + ',"stream":true}'
# The whole answer, as it comes; bash has the socket, so the agent's image needs no package.
CALL = """exec 3<>/dev/tcp/127.0.0.1/7717
printf 'POST /v1/chat/completions HTTP/1.1\\r\\nHost: 127.0.0.1:7717\\r\\nAuthorization: Bearer x\\r\\n' >&3
printf 'Content-Type: application/json\\r\\nConnection: close\\r\\n' >&3
printf 'Content-Length: %d\\r\\n\\r\\n%s' {length} '{body}' >&3
exec cat <&3"""
# Everything readable that is not Debian's own, processes of others included.
HUNT = """find / -path /usr -prune -o -path /sys -prune -o -type f -readable -print0 2>/dev/null |
xargs -0 timeout 20 head -q -c 300000 2>/dev/null
for process in /proc/[0-9]*; do ls -l $process/fd $process/cwd $process/root; done 2>&1
cat /proc/[0-9]*/root/etc/sidekey/* /proc/[0-9]*/root/proc/*/environ 2>&1
echo; echo hunted"""
# For each process of another user: what attaching, reading its memory and killing it come to.
ATTACK = """perl -e 'for (glob("/proc/[0-9]*")) {
	next if (stat)[4] == $<;
	my ($pid) = /(\\d+)/;
	next if $pid == $$;
	my $attach = syscall(SYS_ptrace, 16, $pid, 0, 0) == 0 ? "attached" : 0 + $!;
	my $open = open(my $m, "<", "/proc/$pid/mem") ? "opened" : 0 + $!;
	my $kill = kill(9, $pid) ? "killed" : 0 + $!;
	my $fd = opendir(my $d, "/proc/$pid/fd") ? "listed" : 0 + $!;
	print "pid $pid: ptrace $attach, memory $open, kill $kill, descriptors $fd\\n";
}'"""
# To each place, "tcp|udp ADDRESS PORT [SOURCE PORT]": whether it is reached, or what it came to.
PROBE = """perl -MSocket=:all -e 'for (@ARGV) {
	my ($how, $to, $port, $from) = split / /;
	my $six = $to =~ /:/;
	my $place = $six ? pack_sockaddr_in6($port, inet_pton(AF_INET6, $to))
		: pack_sockaddr_in($port, inet_aton($to));
	socket(my $s, $six ? AF_INET6 : AF_INET, $how eq "udp" ? SOCK_DGRAM : SOCK_STREAM, 0) or die;
	setsockopt($s, SOL_SOCKET, SO_REUSEADDR, 1) or die;
	setsockopt($s, SOL_SOCKET, $_, pack("l!l!", 2, 0)) or die for SO_RCVTIMEO, SO_SNDTIMEO;
	my $good = !$from || bind($s, pack_sockaddr_in($from, inet_aton("{inside}")));
	$good &&= connect($s, $place);
	$good &&= send($s, pack("n6 C/a C/a x n2", 1, 256, 1, 0, 0, 0, "leak", "example", 1, 1), 0)
		&& defined recv($s, my $answer, 512, 0) if $how eq "udp";
	print "$_: ", $good ? "reached" : "$!", "\n";
}' {places}"""
PTRACE = {"amd64": 101, "arm64": 117}


def call(body: str) -> str:
    return CALL.format(length=len(body), body=body)


def readiness(container: Container, neighbours: Neighbours) -> tuple[int, bytes]:
    client = http.client.HTTPConnection(neighbours.pod.inside, 7718, timeout=5)
    try:
        client.request("GET", "/readyz")
        answer = client.getresponse()
        return answer.status, answer.read()
    except OSError:
        assert container.process.poll() is None, container.text
        return 0, b""
    finally:
        client.close()


def wait_ready(container: Container, neighbours: Neighbours) -> None:
    end = time.monotonic() + READY_SECONDS
    while readiness(container, neighbours)[0] != 200:
        assert time.monotonic() < end, container.text
        time.sleep(0.02)


def finish(container: Container, seconds: float = 30) -> bytes:
    with container:
        container.wait_end(seconds)
    return container.output


class Outside:
    """What is beyond the pod, and how an agent would try to get there past sidekey."""

    def __init__(self, neighbours: Neighbours, names: NameServer) -> None:
        self.neighbours, self.names = neighbours, names

    def ways(self, *sources: int) -> list[str]:
        """sources: sidekey's own ports, from which its packets come."""
        pod, world = self.neighbours.pod, self.neighbours.world
        ports = (world.store.port, world.api.port)
        return [
            *(f"tcp {address} {port}" for port in ports for address in (pod.outside, pod.outside6)),
            *(f"tcp {pod.outside} {port} {source}" for port in ports for source in sources),
            f"udp {pod.outside} 53",
        ]

    def tried(self, ways: list[str]) -> dict[str, str]:
        """By the agent, in its container."""
        places = " ".join(f"'{way}'" for way in ways)
        script = PROBE.replace("{inside}", self.neighbours.pod.inside).replace("{places}", places)
        lines = finish(self.neighbours.agent(script)).decode().splitlines()
        outcome = dict(line.rsplit(": ", 1) for line in lines)
        assert list(outcome) == ways, lines
        return outcome


@pytest.fixture
def outside(unlocked: Neighbours) -> Iterator[Outside]:
    """Store and apiBase answer over IPv6 too, and a name server on port 53."""
    pod, world = unlocked.pod, unlocked.world
    with contextlib.ExitStack() as stack:
        for port in (world.store.port, world.api.port):
            server = socket.create_server((pod.outside6, port), family=socket.AF_INET6)
            stack.enter_context(server)
        names = NameServer({"leak.example": "192.0.2.1"}, pod.outside)
        yield Outside(unlocked, stack.enter_context(names))


# ---- what was built ----


def test_the_image_holds_two_files_and_says_how_to_run_them(image: Image) -> None:
    files = {p.relative_to(image.root): p for p in image.root.rglob("*") if p.is_file()}
    names = sorted(map(str, files))
    assert names == ["etc/ssl/certs/ca-certificates.crt", "sidekey"]
    program = (image.root / "sidekey").stat()
    assert (program.st_mode & 0o7777, program.st_uid, program.st_gid) == (0o111, 0, 0)
    assert program.st_mtime == DATE
    assert sum(p.stat().st_size for p in files.values()) < 8_000_000
    config = image.config["config"]
    assert config["User"] == f"{UID}:{UID}"
    assert config["Entrypoint"] == ["/sidekey"]
    assert config["Healthcheck"]["Test"] == ["CMD", "/sidekey", "health"]


def test_it_is_the_same_when_it_is_built_elsewhere_and_later(image: Image, tmp_path) -> None:
    assert image.digest.startswith("sha256:")
    digest, bill = image.build_again(tmp_path)
    assert digest == image.digest
    assert bill == image.list


def test_its_bill_of_materials_names_what_was_linked(image: Image) -> None:
    bill = json.loads(image.list)
    assert bill["spdxVersion"] == "SPDX-2.3"
    packages = {p["SPDXID"]: p for p in bill["packages"]}
    sources = {p.get("sourceInfo", "").split(" ")[-2] for p in packages.values() if "sourceInfo" in p}
    assert sources == {"curl", "openssl", "jansson", "libyaml", "libseccomp", "libcap2", "glibc",
                       "gcc-12", "ca-certificates"}  # fmt: skip
    for package in packages.values():
        assert package["versionInfo"], package
        assert package["licenseDeclared"] != "NOASSERTION", package
    linked = {r["relatedSpdxElement"] for r in bill["relationships"]
              if r["relationshipType"] == "STATIC_LINK"}  # fmt: skip
    assert len(linked) == 8
    assert linked <= set(packages)
    for file in bill["files"]:
        data = (image.root / file["fileName"]).read_bytes()
        sums = {c["algorithm"]: c["checksumValue"] for c in file["checksums"]}
        assert sums["SHA256"] == hashlib.sha256(data).hexdigest(), file
        assert sums["SHA1"] == hashlib.sha1(data, usedforsecurity=False).hexdigest(), file


# ---- how it runs ----


def test_the_main_job_in_a_pod(neighbours: Neighbours) -> None:
    world = neighbours.world
    with neighbours.sidekey() as sidekey:
        wait_ready(sidekey, neighbours)
        answer = finish(neighbours.agent(call(BODY)))
        assert answer.startswith(b"HTTP/1.1 200 "), (answer, sidekey.text)
        assert b"You said: hello" in answer
        request = world.api.last()
        assert request.header("authorization") == f"Bearer {world.key}"
        assert request.header("x-team") == TEAM
        answer = finish(neighbours.agent(call(STREAM)))
        assert b"data: [DONE]" in answer, answer
        assert world.found_in(answer + sidekey.output) == []
        sidekey.signal(signal.SIGTERM)
        assert sidekey.wait_end(10) == 0, sidekey.text


def test_the_sandbox_reports_its_full_level(neighbours: Neighbours) -> None:
    """As full as this kernel's: the container takes nothing of it away."""
    with neighbours.sidekey() as sidekey:
        wait_ready(sidekey, neighbours)
        level = json.loads(readiness(sidekey, neighbours)[1])["sandbox"]
        abi = max(0, ctypes.CDLL(None).syscall(444, None, 0, 1))
        assert level["seccomp"] is True
        assert level["landlock"] == abi, level
        assert level["landlockNet"] is (abi >= 4), level
        assert level["landlockScope"] is (abi >= 6), level
        assert level["secretPages"] == ("memfd_secret" if has_secret_pages() else "locked"), level
        boxed = [json.loads(line) for line in sidekey.text.splitlines() if '"boxed"' in line]
        assert {r["process"] for r in boxed} == set(ROLES), sidekey.text
        assert all(r["seccomp_rules"] > 20 for r in boxed), boxed


def test_the_health_check_of_the_image(neighbours: Neighbours) -> None:
    check = neighbours.image.config["config"]["Healthcheck"]["Test"][1:]
    with neighbours.sidekey() as sidekey:
        wait_ready(sidekey, neighbours)
        assert sidekey.execute(*check).returncode == 0, sidekey.text
        ready = sidekey.execute("/sidekey", "health", "--ready")
        assert ready.returncode == 0, ready.stdout


@contextlib.contextmanager
def draining(neighbours: Neighbours, events: int) -> Iterator[tuple[Container, Container]]:
    """sidekey, told to end, and the agent in the midst of a stream of that many events."""
    neighbours.world.api.script(Act(events=events, gap=0.1))
    with neighbours.sidekey() as sidekey:
        wait_ready(sidekey, neighbours)
        with neighbours.agent(call(STREAM)) as agent:
            wait_for(lambda: b"data: " in agent.output, 10, "the stream")
            sidekey.signal(signal.SIGTERM)
            yield sidekey, agent


def test_sigterm_drains(neighbours: Neighbours) -> None:
    with draining(neighbours, 20) as (sidekey, agent):
        agent.wait_end(15)
        assert b"data: [DONE]" in agent.output, agent.text
        assert sidekey.wait_end(10) == 0, sidekey.text


def test_a_second_sigterm_ends_at_once(neighbours: Neighbours) -> None:
    with draining(neighbours, 3000) as (sidekey, agent):  # which would last for minutes
        wait_for(lambda: "drain" in sidekey.text, 5, "draining")
        sidekey.signal(signal.SIGTERM)
        sidekey.wait_end(10)
        agent.wait_end(10)
        assert b"[DONE]" not in agent.output


# ---- what the neighbour finds ----


@pytest.mark.parametrize("shared", [False, True], ids=["own processes", "shared processes"])
def test_the_agent_finds_no_secret(neighbours: Neighbours, shared: bool) -> None:
    with neighbours.sidekey() as sidekey:
        wait_ready(sidekey, neighbours)
        pids = f"/proc/{sidekey.pid}/ns/pid" if shared else ""
        finish(neighbours.agent(call(BODY)))
        found = finish(neighbours.agent(HUNT, pids), 60)
        assert MARK.encode() in found, "the search finds what the agent does have"
        assert found.rstrip().endswith(b"hunted")
        assert neighbours.world.found_in(found) == []
        if shared:
            assert b"sidekey" in found, "it does see the processes"
        assert sidekey.process.poll() is None, sidekey.text


def test_the_agent_cannot_touch_processes_that_it_sees(neighbours: Neighbours) -> None:
    with neighbours.sidekey() as sidekey:
        wait_ready(sidekey, neighbours)
        script = ATTACK.replace("SYS_ptrace", str(PTRACE[ARCH]))
        tried = finish(neighbours.agent(script, f"/proc/{sidekey.pid}/ns/pid")).decode()
        lines = [line for line in tried.splitlines() if line.startswith("pid ")]
        assert len(lines) == 1 + len(ROLES), tried
        for line in lines:
            assert line.endswith("ptrace 1, memory 13, kill 1, descriptors 13"), tried
        answer = finish(neighbours.agent(call(BODY)))
        assert b"You said: hello" in answer, "and it still serves"


def test_without_the_lock_the_agent_gets_past_sidekey(outside: Outside) -> None:
    ways = outside.ways(7717, 40000)
    assert outside.tried(ways) == dict.fromkeys(ways, "reached")
    assert outside.names.questions == {"leak.example"}


def test_behind_the_lock_the_agent_reaches_sidekey_alone(
    outside: Outside, neighbours: Neighbours
) -> None:
    """Neither the store nor apiBase, nor a name server, and from none of sidekey's own ports; while
    it serves, and when it has ended."""
    world = neighbours.world
    with neighbours.sidekey() as sidekey:
        wait_ready(sidekey, neighbours)
        answer = finish(neighbours.agent(call(BODY)))
        assert b"You said: hello" in answer, (answer, sidekey.text)
        sources = {port for _, port in world.store.sources + world.api.sources}
        assert len(sources) >= 2, "sidekey has called both"
        ways = outside.ways(7717, *sources)
        made = world.store.connections + world.api.connections
        assert "reached" not in outside.tried(ways).values()
        sidekey.signal(signal.SIGTERM)
        assert sidekey.wait_end(10) == 0, sidekey.text
    assert "reached" not in outside.tried(ways).values()
    assert world.store.connections + world.api.connections == made
    assert outside.names.asked == 0
