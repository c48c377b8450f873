"""A study on AWS without AWS: set up, deployed, played over an interruption, cleaned up, removed, by the real programs.

What is real: every command a person gives, the template, the functions from the zip that was uploaded, the page from
its bucket, the image, the registry, the containers, TLS, the browser. What stands in for AWS is in this folder; see
docs/rehearsing-the-cloud.md.

    python -m tests.deploy.rehearsal --engine docker     # or process: without images
"""
