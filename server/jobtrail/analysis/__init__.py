"""Computes summaries of executions and runs: failures by signature, counts by status, success rates and streaks."""
