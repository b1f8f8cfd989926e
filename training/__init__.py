"""How a job runs: disk -> records -> fit -> artifact."""
