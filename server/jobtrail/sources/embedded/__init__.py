"""The embedded plane as a source: batch jobs and scheduled tasks of this machine's store or sample."""
