"""Script mode: a user's own program in the place of an algorithm, trained, served, or run for processing (contract,
sections 3 and 5).

A script runs as itself. What it prints reaches the log at once, its traceback is the failure, its exit code the job's.
`python -m algoport.containers.scripts train|serve|process` is what the image for scripts runs, and what `algoport run`
and `algoport process` run on this machine.
"""
