"""Is the server on this machine well?  python3 -m hippogym.health [PORT]    exit code 0: yes, 1: no

For a container's health check: nothing but the standard library, because it is started every few seconds.
"""

import http.client
import os
import ssl
import sys

WAIT_S = 3.0
PORT = 5000


def is_well(port: int) -> bool:
    """Whether /healthz answers on this machine, with TLS or without. Whose certificate it is does not matter here."""
    unchecked = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
    for connection in (
        http.client.HTTPSConnection("127.0.0.1", port, timeout=WAIT_S, context=unchecked),
        http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S),
    ):
        try:
            connection.request("GET", "/healthz")
            if connection.getresponse().status == 200:
                return True
        except (OSError, http.client.HTTPException):
            continue
        finally:
            connection.close()
    return False


def main() -> int:
    """The command."""
    port = int(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("PORT") or PORT)
    return 0 if is_well(port) else 1


if __name__ == "__main__":
    sys.exit(main())
