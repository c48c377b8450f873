"""One machine of one's own: the image is built here; a systemd unit and the hook of certbot are written for it.

Nothing is done on that machine: the commands are shown, and docs/deploying.md explains each.
"""

from collections.abc import Sequence

from hippogym.deploy.checks import runs_dev
from hippogym.deploy.generated import is_as, write_if_changed
from hippogym.deploy.image import build_image, built_as
from hippogym.deploy.plan import Item, Plan
from hippogym.deploy.problems import DeployError
from hippogym.deploy.progress import Shown
from hippogym.deploy.target import SHORT, Order, file_items, write_file
from hippogym.deploy.targets.local import STOP_S, STUDY, USER

FOLDER = "deployment"


def unit(name: str, image: str) -> str:
    """The systemd unit: the container runs while the machine does, and is stopped with time to close its records."""
    docker = "/usr/bin/docker"
    volumes = f"--volume {name}-trials:{STUDY}/Trials --volume /etc/hippogym/{name}:{STUDY}/certificates:ro"
    return f"""\
# Made by updateProject.py --target vm. To /etc/systemd/system/{name}.service; docs/deploying.md
[Unit]
Description=HIPPO Gym study {name}
Requires=docker.service
After=docker.service network-online.target
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
ExecStartPre=-{docker} rm --force {name}
ExecStart={docker} run --rm --name {name} --publish 443:5000 --stop-timeout {STOP_S} \\
    --cap-drop ALL --security-opt no-new-privileges --log-driver journald {volumes} {image}
ExecReload={docker} kill --signal HUP {name}
ExecStop={docker} stop --time {STOP_S} {name}
TimeoutStopSec={STOP_S + 30}
SuccessExitStatus=143
Restart=always
RestartSec=5

[Install]
WantedBy=multi-user.target
"""


def hook(name: str) -> str:
    """What certbot runs when it has a new certificate: games go on, new connections use it."""
    return f"""\
#!/bin/sh
# Made by updateProject.py --target vm. To /etc/letsencrypt/renewal-hooks/deploy/{name}; docs/deploying.md
set -eu
umask 077
mkdir -p /etc/hippogym/{name}
chown {USER} /etc/hippogym/{name}
for file in fullchain.pem privkey.pem; do
    install -o {USER} -m 0400 "$RENEWED_LINEAGE/$file" "/etc/hippogym/{name}/.$file"
    mv "/etc/hippogym/{name}/.$file" "/etc/hippogym/{name}/$file"
done
if systemctl --quiet is-active {name}.service; then systemctl reload {name}.service; fi
"""


class VmTarget:
    """``--target vm``. host: user@host, for the commands that are shown."""

    def __init__(self, order: Order, host: str | None = None) -> None:
        self._order, self._host = order, host or "root@SERVER"
        self._name = f"hippo-{order.study.project.id.lower()}"
        self._sum = order.sha256()
        self._image = f"{self._name}:{self._sum[:SHORT]}"
        self._files = {
            f"{self._name}.service": unit(self._name, self._image).encode(),
            f"{self._name}.certbot-hook": hook(self._name).encode(),
        }
        self.blocks: Sequence[str] = ()

    def look(self) -> Plan:
        """Asks docker."""
        items = file_items(self._order)
        for name, content in self._files.items():
            there = is_as(self._order.folder / FOLDER / name, content)
            now, change = ("as wanted", "") if there else ("not there, or older", "write")
            items.append(Item(f"vm {name}", f"{FOLDER}/{name}", now, change))
        try:
            is_built = built_as(self._order, self._image, self._sum)
            now, change = ("there", "") if is_built else ("not there", "build")
        except DeployError as problem:
            self.blocks = (str(problem),)
            now, change = "not known, docker does not answer", ""
        items.append(Item("image", f"image {self._image}", now, change, container=True))
        dev = ["xvfb.sh runs dev: plain http, and nothing is uploaded."] if runs_dev(self._order.context) else []
        title = f"{self._order.study.project.id} on a machine of one's own"
        return Plan(title, tuple(items), tuple(dev), ("what the machine costs; 2 vCPU and 4 GB hold about 16 players",))

    def carry_out(self, item: Item, shown: Shown) -> None:
        """Files, then the image."""
        if item.key == "image":
            build_image(self._order, self._image, self._sum, shown)
        elif item.key.startswith("vm "):
            folder, name = self._order.folder / FOLDER, item.key.removeprefix("vm ")
            try:
                folder.mkdir(exist_ok=True)
            except OSError as problem:
                raise DeployError(f"{folder} cannot be made: {problem.strerror or problem}.") from problem
            write_if_changed(folder / name, self._files[name])
        else:
            write_file(self._order, item)

    def next_steps(self, plan: Plan) -> Sequence[str]:
        """The commands, in their order."""
        host, name = self._host, self._name
        return [
            "Now, and after each change (docs/deploying.md has the first time in full):",
            f"  docker save {self._image} | gzip | ssh {host} 'gunzip | docker load'",
            f"  scp {FOLDER}/{name}.service {host}:/etc/systemd/system/",
            f"  scp {FOLDER}/{name}.certbot-hook {host}:/etc/letsencrypt/renewal-hooks/deploy/{name}",
            f"  ssh {host} 'chmod 755 /etc/letsencrypt/renewal-hooks/deploy/{name} && systemctl daemon-reload "
            f"&& systemctl enable {name} && systemctl restart {name}'",
        ]
