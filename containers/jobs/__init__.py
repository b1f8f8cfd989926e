"""One job as a library: described, started, followed, stopped, and found again; knows nothing of a terminal.

`description` says what a job is, `running` starts it and is the handle of one that runs; `processes` and `docker` are
where it runs, and `program` how a program of the user's own is called. `describe` and `validate` say what a job may be
before there is one.
"""
