"""What `jobtrail record` does: it runs commands and records in the store how they ended."""

from jobtrail.recorder.plan import Plan, RecordingResult
from jobtrail.recorder.runner import run_and_record

__all__ = ["Plan", "RecordingResult", "run_and_record"]
