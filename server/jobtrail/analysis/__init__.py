"""Arithmetic over executions and runs: failures by signature, a job's record, rates and streaks."""
