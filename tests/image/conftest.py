# SPDX-License-Identifier: Apache-2.0
"""The image, built once for all its tests, and a pod that it runs in beside an agent."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from builder import CACHE, ROOT, Builder, alone, base, copy_sources, reason_not_to
from containers import Container, Pod, mount
from fakes.egress_lock import entry_point, lock_image
from fakes.pki import server_context
from fakes.world import World

UID, AGENT = 65532, 1000
DATE = 1_750_000_000  # of all that is in the image
MARK = "the-agents-own-environment"


class Image:
    """What a build left: the manifest's digest, the configuration, the files, the list."""

    def __init__(self, folder: Path) -> None:
        if reason := reason_not_to():
            pytest.skip(reason)
        with alone():
            self.base = base().resolve()
            builder = Builder(CACHE / "storage")
            builder.take_base(self.base)
            self.digest = builder.build(ROOT, "sidekey:here", DATE)
            self.list = (ROOT / "build" / "sidekey.spdx.json").read_bytes()
            self.config, self.root = builder.unpack("sidekey:here", folder)

    @staticmethod
    def build_again(folder: Path) -> tuple[str, bytes]:
        """Digest and list of a build in another folder, with nothing from the cache."""
        elsewhere = copy_sources(folder / "a" / "longer" / "way" / "to" / "it")
        with alone():
            builder = Builder(CACHE / "storage")
            builder.take_base(base())
            digest = builder.build(elsewhere, "sidekey:elsewhere", DATE, fresh=True)
        return digest, (elsewhere / "build" / "sidekey.spdx.json").read_bytes()


@pytest.fixture(scope="session")
def image(tmp_path_factory) -> Image:
    return Image(tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="session")
def lock_root(tmp_path_factory) -> Path:
    """The files of the egress lock's image."""
    probe = ["unshare", "--net", "nft", "add", "table", "inet", "probe"]
    done = subprocess.run(probe, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"this kernel has no nftables: {done.stderr.strip()}")
    return lock_image(tmp_path_factory.mktemp("egress-lock"))


class Neighbours:
    """sidekey and an agent in one network namespace; what they call is beyond it.

    The store and the upstream listen on pod.outside. agent() starts a command in the agent's
    container: another root, another user.
    """

    def __init__(self, folder: Path, image: Image, pod: Pod) -> None:
        self.folder, self.image, self.pod = folder, image, pod
        self.world = World(folder)
        self.world.api.host = self.world.store.host = pod.outside
        authority = self.world.authority
        self.world.api.tls = server_context(authority.server(pod.outside), authority)
        self.world.store.tls = server_context(authority.server(pod.outside))
        self.count = 0

    def sidekey(self, **sections) -> Container:
        own = self.folder / "etc"
        own.mkdir()
        for path in (self.world.ca, self.world.cert_path, self.world.key_path):
            (own / path.name).write_bytes(path.read_bytes())
        key = own / self.world.key_path.name
        key.chmod(0o400)
        os.chown(key, UID, UID)
        inside = {"ca": self.world.ca, "clientCert": self.world.cert_path,
                  "clientKey": self.world.key_path}  # fmt: skip
        target = self.world.target(tls={k: f"/etc/sidekey/{v.name}" for k, v in inside.items()})
        config = {"listen": ["127.0.0.1:7717"], "admin": ["0.0.0.0:7718"],
                  **self.world.config(target, **sections)}  # fmt: skip
        (own / "sidekey.yaml").write_text(yaml.safe_dump(config))
        bundle = "/etc/ssl/certs/ca-certificates.crt"
        return Container(
            self.folder, "sidekey", self.image.root, self.pod,
            arguments=self.image.config["config"]["Entrypoint"], uid=UID, env=self.world.env(),
            mounts=[
                mount("/etc/sidekey", "none", str(own), "bind", "ro"),
                mount(bundle, "none", str(self.world.ca), "bind", "ro"),
            ],
        )  # fmt: skip

    def agent(self, script: str, pids: str = "") -> Container:
        self.count += 1
        return Container(
            self.folder, f"agent{self.count}", self.image.base, self.pod,
            arguments=["bash", "-c", script], uid=AGENT, env={"AGENT_MARK": MARK}, pids=pids,
            mounts=[mount("/tmp", "tmpfs", "tmpfs", "nosuid", "nodev")],
        )  # fmt: skip

    def lock(self, root: Path) -> None:
        """As k8s/components/egress-lock does: an init container, root with NET_ADMIN alone."""
        init = Container(
            self.folder, "egress-lock", root, self.pod,
            arguments=entry_point(), uid=0, powers=["CAP_NET_ADMIN"],
        )  # fmt: skip
        with init:
            assert init.wait_end(20) == 0, init.text


@pytest.fixture
def unlocked(tmp_path: Path, image: Image) -> Iterator[Neighbours]:
    """Without the egress lock."""
    with contextlib.ExitStack() as stack:
        made = Neighbours(tmp_path, image, stack.enter_context(Pod()))
        stack.enter_context(made.world)
        yield made


@pytest.fixture
def neighbours(unlocked: Neighbours, lock_root: Path) -> Neighbours:
    """Behind the egress lock, which was on before either of them starts."""
    unlocked.lock(lock_root)
    return unlocked
