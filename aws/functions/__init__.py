"""What runs on AWS Lambda: the study's rules over a bucket, and the servers of its participants."""
