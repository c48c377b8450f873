"""What a study keeps of its visits, and what it shows of them: the same over any ledger, on a disk or in a bucket."""
