"""What a definition shows of itself: never a secret, whichever source it came from."""

from __future__ import annotations

from jobtrail.models.details import JobDetail
from jobtrail.models.entities import Job


def test_a_definition_shows_no_secret_in_any_text_that_its_author_wrote() -> None:
    job = Job(
        name="etl",
        kind="job",
        display_name="psql postgres://u:PW@h",
        description="curl https://h/?token=PW",
        labels={"team": "data", "api_token": "PW of mine", "db": "amqp://u:PW@h"},
    )
    settings = {"image": "https://u:PW@registry.internal/etl:1", "region": "us-pdx-1", "timeout_s": "3600"}
    shown = JobDetail(source="prod", job=job, settings=settings, env_names=("LOG_LEVEL", "API_TOKEN=PW")).to_wire()
    assert "PW" not in str(shown)
    assert shown["job"]["labels"] == {"team": "data", "api_token": "***", "db": "amqp://u:***@h"}
    assert shown["settings"] == {**settings, "image": "https://u:***@registry.internal/etl:1"}
    assert shown["env_names"] == ["LOG_LEVEL", "API_TOKEN=***"]
