"""Places a study: on AWS, and what that costs."""
