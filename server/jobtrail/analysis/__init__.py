"""What answers are worked out from: failures by signature, a job's record, rates and streaks."""
