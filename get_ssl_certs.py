"""A certificate for participants' servers:  python3 get_ssl_certs.py [--dry-run] [--staging] [--force] [--yes] [--cron]

Gets *.rootDomain from Let's Encrypt by way of Route53 and puts it into ssl.sslBucket, where servers find it; renews it
when under 30 days are left, and otherwise does nothing. No root is needed. SSL_README.md
"""

import argparse
import sys
from pathlib import Path

from dotenv import load_dotenv

from hippogym.config import load_study
from hippogym.deploy.issuing import NEEDED, add_arguments, run
from hippogym.errors import HippoError


def main() -> int:
    """Run the command. Returns the exit code: 0 it is as it must be, 2 not so, which is said in a sentence."""
    parser = argparse.ArgumentParser(prog="get_ssl_certs.py", description="A certificate for participants' servers.")
    add_arguments(parser)
    arguments = parser.parse_args()
    load_dotenv(arguments.study / ".env")  # AWS keys, on this machine only; certbot is handed them
    try:
        said = all(getattr(arguments, name) for name in NEEDED)
        study = None if said else load_study(arguments.study.absolute())
        return run(arguments, study, Path(__file__).resolve())
    except HippoError as problem:
        sys.stderr.write(f"{problem}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("\nStopped. Give the command again to go on.\n")
        return 130


if __name__ == "__main__":
    sys.exit(main())
