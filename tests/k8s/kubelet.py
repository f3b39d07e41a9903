# SPDX-License-Identifier: Apache-2.0
"""As much of a kubelet as the order of a pod's containers takes: it lays out volumes, starts init
containers one after another, waits for the start-up probe of those that stay, restarts them when
they die, and ends them after the rest. All it does is told by the manifest.

sidekey's container is a folder that the program is locked into as the manifest's user; the other
containers are processes of this machine."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from fakes.sidekey import ROOT, program
from fakes.wire import wait_for

WORKER = ROOT / "tests" / "k8s" / "worker.py"
ENTRYPOINT = "/sidekey"  # of the image


def is_native(container: dict) -> bool:
    return container.get("restartPolicy") == "Always"


class Volume:
    """Files behind `..data`, which is swapped for another folder in one step; or an emptyDir."""

    def __init__(self, spec: dict, files: dict[str, str], group: int) -> None:
        self.is_empty_dir, self.files, self.group = "emptyDir" in spec, files, group
        self.mode = 0o644 if "configMap" in spec else 0o640
        self.places: list[Path] = []
        self.edition = 0

    def mount(self, place: Path) -> None:
        place.mkdir(parents=True)
        if self.is_empty_dir:
            place.chmod(0o777)
            return
        self.places.append(place)
        self._write(place)
        for name in self.files:
            os.symlink(f"..data/{name}", place / name)

    def change(self, files: dict[str, str]) -> None:
        self.files = files
        self.edition += 1
        for place in self.places:
            self._write(place)

    def _write(self, place: Path) -> None:
        folder = place / f"..{self.edition}"
        folder.mkdir()
        for name, text in self.files.items():
            (folder / name).write_text(text)
            (folder / name).chmod(self.mode)
            os.chown(folder / name, 0, self.group)
        os.symlink(folder.name, place / "..fresh")
        os.rename(place / "..fresh", place / "..data")


class Container:
    def __init__(self, spec: dict, pod: "Kubelet") -> None:
        self.spec, self.name, self.pod = spec, spec["name"], pod
        self.process: subprocess.Popen | None = None
        self.log = pod.folder / f"{self.name}.log"
        self.root: Path | None = None
        self.env = {e["name"]: e.get("value", "a-pod") for e in spec.get("env", [])}
        if self.name == "sidekey":
            self._make_root()

    def _make_root(self) -> None:
        self.root = self.pod.folder / self.name
        (self.root / "etc").mkdir(parents=True)
        shutil.copy(program(), self.root / ENTRYPOINT.lstrip("/"))
        (self.root / ENTRYPOINT.lstrip("/")).chmod(0o111)
        (self.root / "etc" / "hosts").write_text("127.0.0.1 localhost\n")  # as kubelets do
        for mount in self.spec["volumeMounts"]:
            self.pod.volumes[mount["name"]].mount(self.root / mount["mountPath"].lstrip("/"))

    def enter(self, command: list[str]) -> list[str]:
        """The command, as the runtime would run it in here."""
        rights = self.spec["securityContext"]
        user = f"{rights['runAsUser']}:{rights['runAsGroup']}"
        of_pod = self.pod.spec["securityContext"]
        groups = [of_pod["fsGroup"], *of_pod.get("supplementalGroups", [])]
        among = ",".join(str(group) for group in groups)
        keep = [] if rights["allowPrivilegeEscalation"] else ["setpriv", "--no-new-privs"]
        change = ["/usr/sbin/chroot", f"--userspec={user}", f"--groups={among}", str(self.root)]
        return [*self.pod.inside, *keep, *change, *command]

    def start(self) -> None:
        user = self.spec["securityContext"]["runAsUser"]
        command = self.pod.commands.get(self.name, [sys.executable, str(WORKER), str(user)])
        command = [*self.pod.inside, *command]
        if self.root:
            command = self.enter([ENTRYPOINT, *self.spec.get("args", [])])
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.pod.note("start", self.name)

    def probe(self, which: str) -> bool:
        probe = self.spec[which]
        try:
            done = subprocess.run(
                self.enter(probe["exec"]["command"]),
                env=self.env,
                capture_output=True,
                timeout=probe["timeoutSeconds"],
                check=False,
            )
        except subprocess.TimeoutExpired:
            return False
        return done.returncode == 0

    def ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def signal(self, number: int) -> None:
        assert self.process
        self.process.send_signal(number)

    def wait(self, seconds: float) -> int:
        assert self.process
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self.pod.note("end", self.name, status)
        return status

    def text(self) -> str:
        return self.log.read_text()


class Kubelet:
    """`with Kubelet(template, folder, files) as pod:` runs the pod of a template until its main
    containers end or the block does. files: what is in each volume. commands: what a container
    runs, if not the worker. inside: a command that leads into the pod's network. watch is told
    each event."""

    def __init__(
        self,
        template: dict,
        folder: Path,
        files: dict[str, dict[str, str]],
        watch: Callable[[tuple], None] = lambda event: None,
        commands: dict[str, list[str]] | None = None,
        inside: list[str] | None = None,
    ) -> None:
        self.folder, self.watch, self.commands = folder, watch, commands or {}
        self.inside = inside or []
        self.events: list[tuple] = []
        self.spec = template["spec"]
        self.grace = self.spec["terminationGracePeriodSeconds"]
        group = self.spec["securityContext"]["fsGroup"]
        self.volumes = {
            v["name"]: Volume(v, files.get(v["name"], {}), group) for v in self.spec["volumes"]
        }
        self.before = [Container(c, self) for c in self.spec["initContainers"]]
        self.main = [Container(c, self) for c in self.spec["containers"]]
        self.staying: list[Container] = []

    def note(self, *event) -> None:
        self.events.append(event)
        self.watch(event)

    def of(self, name: str) -> Container:
        return next(c for c in self.before + self.main if c.name == name)

    def __enter__(self) -> Self:
        try:
            for container in self.before:
                self._run_before(container)
            for container in self.main:
                container.start()
        except BaseException:
            self.kill()
            raise
        return self

    def _run_before(self, container: Container) -> None:
        container.start()
        if is_native(container.spec):
            self.staying.append(container)
            self._await_start(container)
        else:
            assert container.wait(30) == 0, container.text()

    def _await_start(self, container: Container) -> None:
        probe = container.spec["startupProbe"]
        for _ in range(probe["failureThreshold"]):
            good = container.probe("startupProbe")
            self.note("probe", container.name, good)
            if good:
                return
            assert not container.ended(), container.text()
            time.sleep(probe["periodSeconds"])
        raise AssertionError(f"{container.name} did not start\n{container.text()}")

    def tick(self) -> bool:
        """Restarts what should stay; whether the main containers have ended."""
        for container in self.staying:
            if container.ended():
                container.wait(0)
                container.start()
                self._await_start(container)
        return all(container.ended() for container in self.main)

    def run(self, seconds: float = 40) -> int:
        """Until the main containers have ended, and with them the pod; the worst exit status."""
        wait_for(self.tick, seconds, "the main containers end")
        worst = max(container.wait(0) for container in self.main)
        self.end_staying()
        return worst

    def delete(self) -> None:
        """What `kubectl delete pod` brings about: the main containers first."""
        end = time.monotonic() + self.grace
        for container in self.main:
            container.signal(signal.SIGTERM)
            self.note("SIGTERM", container.name)
        for container in self.main:
            container.wait(max(0, end - time.monotonic()))
        self.end_staying(end)

    def end_staying(self, end: float | None = None) -> None:
        end = end or time.monotonic() + self.grace
        while self.staying:
            container = self.staying.pop()
            container.signal(signal.SIGTERM)
            self.note("SIGTERM", container.name)
            container.wait(max(0, end - time.monotonic()))

    def kill(self) -> None:
        for container in self.before + self.main:
            if container.process and not container.ended():
                container.process.kill()
                container.process.wait()

    def __exit__(self, *_) -> None:
        self.kill()
