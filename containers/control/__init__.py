"""Many jobs on one machine: what is wanted stands in a store, and one control process sees to it.

`store` is the truth, in sqlite. `controller` compares what it says with what runs, again and again, and so adopts what
an earlier control process has started: `process` may be killed at any moment. `scheduler` shares cores and memory out,
`report` says what a job took and would have cost by the table of `prices`. Commands only write wishes into the store.
"""
