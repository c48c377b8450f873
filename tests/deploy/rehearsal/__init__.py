"""A study on AWS without AWS: set up, deployed, played over an interruption, cleaned up, removed, by the real programs.

What is real: every command a person gives, the template, the functions from the zip that was uploaded, the page from
its bucket, the image, the registry, the containers, TLS, the browser. What stands in for AWS is in this folder; see
docs/rehearsing-the-cloud.md.

    python -m tests.deploy.rehearsal --engine docker     # or process: without images
"""

import os
import sys
from pathlib import Path

AWS = str(Path(__file__).resolve().parents[3] / "aws")
if AWS not in sys.path:  # pytest has it from pyproject.toml
    sys.path.append(AWS)
os.environ["MOTO_EC2_LOAD_DEFAULT_AMIS"] = "false"  # hundreds of machines' images, of which we need none
