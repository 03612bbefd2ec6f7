"""Running a review: the ledger of what is up to date, tasks, worker processes, the lock of the output folder."""
