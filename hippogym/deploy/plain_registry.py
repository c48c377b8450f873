"""A registry that is not ECR, asked as all of them can be: https://distribution.github.io/distribution/spec/api/"""

import base64
import http.client
import ipaddress

from hippogym.deploy.problems import DeployError

ANSWER_S = 30.0
KINDS = (
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json"
)


def manifest_digest(host: str, name: str, tag: str, user: str, password: str) -> str | None:
    """The digest of an image; None where the registry has none with this tag. Raises DeployError."""
    basic = base64.b64encode(f"{user}:{password}".encode()).decode()
    plain = http.client.HTTPConnection if _is_here(host) else http.client.HTTPSConnection
    connection = plain(host, timeout=ANSWER_S)
    try:
        headers = {"Authorization": f"Basic {basic}", "Accept": KINDS}
        connection.request("HEAD", f"/v2/{name}/manifests/{tag}", headers=headers)
        answer = connection.getresponse()
        digest = answer.getheader("Docker-Content-Digest")
    except (OSError, http.client.HTTPException) as problem:
        raise DeployError(f"The registry {host} does not answer ({problem or type(problem).__name__}).") from problem
    finally:
        connection.close()
    if answer.status == 404:
        return None
    if answer.status != 200 or not digest:
        raise DeployError(f"The registry {host} answered {answer.status} when asked for {name}:{tag}.")
    return digest


def _is_here(host: str) -> bool:
    """As docker has it: a registry of this machine may speak plain http."""
    name = host.rpartition(":")[0] or host
    try:
        return name == "localhost" or ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        return False
