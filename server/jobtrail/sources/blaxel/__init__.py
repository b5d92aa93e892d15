"""Blaxel batch jobs as a source: jobs, executions and tasks, paged by cursor."""
