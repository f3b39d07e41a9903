# SPDX-License-Identifier: Apache-2.0
"""Builds the image with buildah, on a base of Debian that debootstrap made, with this machine's
apt sources, and unpacks what an image holds."""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

from fakes.sidekey import ROOT

CACHE = ROOT / ".cache" / "image"
TOOLS = ("buildah", "debootstrap", "runc", "ip", "nft", "unshare")
BASE = "localhost/sidekey-base"
SOURCES = ("Dockerfile", ".dockerignore", "Makefile", "CHANGELOG.md", "deploy", "policy", "sidecar")
# What deploy/deps.sh would install: a base that has it builds quicker.
PACKAGES = [
    *("gcc", "make", "dpkg-dev", "ca-certificates", "libc6-dev", "libssl-dev", "libjansson-dev"),
    *("libyaml-dev", "libseccomp-dev", "libcap-dev"),
]


def reason_not_to() -> str:
    """Why this machine cannot build or run an image; empty if it can."""
    if os.geteuid() != 0:
        return "only root may mount and make namespaces here"
    if missing := [tool for tool in TOOLS if not shutil.which(tool)]:
        return f"{', '.join(missing)} missing: deploy/deps.sh image"
    probe = subprocess.run(
        ["unshare", "--mount", "--net", "--pid", "--fork", "mount", "-t", "proc", "proc", "/proc"],
        capture_output=True,
        text=True,
        check=False,
    )
    return f"no namespaces or no mount here: {probe.stderr.strip()}" if probe.returncode else ""


def host_environment() -> dict[str, str]:
    """With the machine's proxies, which conftest.py takes away from everything else."""
    pairs = Path("/proc/self/environ").read_bytes().split(b"\0")
    return {**os.environ, **dict(p.decode().split("=", 1) for p in pairs if b"=" in p)}


def command(*arguments: object, env: dict[str, str] | None = None, cwd: Path = ROOT) -> str:
    """Its output; a failure shows what it said."""
    result = subprocess.run(
        [str(a) for a in arguments],
        env={**host_environment(), **(env or {})},
        cwd=cwd,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    assert result.returncode == 0, f"{arguments}\n{result.stdout}\n{result.stderr}"
    return result.stdout


def apt_sources() -> list[str]:
    return command("deploy/sources.sh", "deb").splitlines()


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """One builder at a time on this machine's cache."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def base() -> Path:
    """A folder with Debian in it, made once for each list of packages."""
    mark = hashlib.sha256(" ".join([*PACKAGES, *apt_sources()]).encode()).hexdigest()[:8]
    folder = CACHE / f"base-{mark}"
    if not folder.exists():
        making = CACHE / f"making-{mark}"
        shutil.rmtree(making, ignore_errors=True)
        mirror = next(line.split()[2] for line in apt_sources() if line.split()[3] == "bookworm")
        command("debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", "bookworm",
                making, mirror)  # fmt: skip
        making.rename(folder)
    return folder


class Builder:
    """buildah with a storage and an apt configuration of its own, both in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.env = {
            "BUILDER": "buildah",
            "BUILDAH_ISOLATION": "chroot",
            "BASE": BASE,
            "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
        }
        (folder / "storage.conf").write_text(
            f'[storage]\ndriver = "{self._driver()}"\n'
            f'graphroot = "{folder / "graph"}"\nrunroot = "{folder / "run"}"\n'
        )
        self._write_apt(folder / "apt")
        volumes = {folder / "apt": "/etc/apt"}
        volumes |= {Path(p): p for p in ("/etc/resolv.conf", "/etc/hosts")}
        self.options = " ".join(f"--volume {a}:{b}:ro" for a, b in volumes.items())

    def _driver(self) -> str:
        """overlay, unless this folder lies on one itself."""
        trial = self.folder / "trial"
        parts = [trial / name for name in ("lower", "upper", "work", "merged")]
        for part in parts:
            part.mkdir(parents=True, exist_ok=True)
        lower, upper, work, merged = parts
        mount = f"mount -t overlay -o lowerdir={lower},upperdir={upper},workdir={work} x {merged}"
        works = subprocess.run(
            ["unshare", "--mount", *mount.split()], capture_output=True, check=False
        )
        shutil.rmtree(trial)
        return "vfs" if works.returncode else "overlay"

    def _write_apt(self, apt: Path) -> None:
        shutil.rmtree(apt, ignore_errors=True)
        for part in ("apt.conf.d", "sources.list.d", "preferences.d", "trusted.gpg.d"):
            (apt / part).mkdir(parents=True)
        (apt / "sources.list").write_text("".join(line + "\n" for line in apt_sources()))
        if Path("/etc/apt/auth.conf.d").is_dir():
            shutil.copytree("/etc/apt/auth.conf.d", apt / "auth.conf.d")
        wanted = ("Acquire::http", "Acquire::https", "Acquire::Check", "Acquire::Retries")
        dump = command("apt-config", "dump").splitlines()
        lines = [line + "\n" for line in dump if line.startswith(wanted)]
        (apt / "apt.conf.d" / "host").write_text("".join(lines))

    def buildah(self, *arguments: object) -> str:
        return command("buildah", *arguments, env=self.env).strip()

    def take_base(self, folder: Path) -> None:
        """Makes the folder the image that the Dockerfile begins with."""
        name = f"{BASE}:{folder.name}"
        self.env["BASE"] = name
        if name in self.buildah("images", "--format", "{{.Name}}:{{.Tag}}"):
            return
        container = self.buildah("from", "scratch")
        self.buildah("add", "-q", container, f"{folder}/", "/")
        self.buildah("commit", "-q", "--rm", container, name)

    def build(self, tree: Path, name: str, date: int, fresh: bool = False) -> str:
        """Builds the tree's image; the digest of its manifest, as deploy/image.sh says it."""
        env = {**self.env, "SOURCE_DATE_EPOCH": str(date), "BUILDER_OPTIONS": f"-q {self.options}"}
        if fresh:
            env["FRESH"] = "1"
        return command("deploy/image.sh", name, env=env, cwd=tree).strip().rpartition(" ")[2]

    def unpack(self, name: str, folder: Path) -> tuple[dict, Path]:
        """The image's configuration, and its files in a folder."""
        self.buildah("push", "-q", "--format", "v2s2", name, f"dir:{folder / 'packed'}")
        manifest = json.loads((folder / "packed" / "manifest.json").read_bytes())
        digests = [manifest["config"]["digest"], *(layer["digest"] for layer in manifest["layers"])]
        config, *layers = (folder / "packed" / d.removeprefix("sha256:") for d in digests)
        for layer in layers:
            with tarfile.open(layer) as archive:
                archive.extractall(folder / "root", filter="fully_trusted")
        return json.loads(config.read_bytes()), folder / "root"


def copy_sources(to: Path) -> Path:
    """What an image is built from, in a folder of another name, with other dates."""
    to.mkdir(parents=True)
    for name in SOURCES:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, to / name, copy_function=shutil.copy)
        else:
            shutil.copy(source, to / name)
    return to
