"""Where a study can be placed: AWS, this machine, or a machine of one's own. One module each."""
