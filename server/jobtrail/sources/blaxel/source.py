"""Connects to a Blaxel workspace as a source, and reads its job definitions.

Contract: the seed documents blaxel-*.txt and `Blaxel-Version: 2026-04-28`, the first with cursors.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from jobtrail.errors import NotFound, UnknownName, UpstreamError
from jobtrail.paging import NEWEST_FIRST, Checked
from jobtrail.sources.auth import Bearer
from jobtrail.sources.base import About, Source, Workspace, unknown_name
from jobtrail.sources.blaxel.batch_jobs import BlaxelBatch
from jobtrail.sources.blaxel.endpoint_pages import LARGEST, SHORTEST_QUERY, VERSION, PagedEndpoint, build_query
from jobtrail.sources.blaxel.login import BlaxelToken
from jobtrail.sources.blaxel.registration import DEFAULT_URL
from jobtrail.sources.blaxel.response_models import WireJob, WirePage
from jobtrail.sources.http_client import open_http
from jobtrail.sources.responses import check_told, parse_fields, parse_response, parse_row, quote_name
from jobtrail.vocabulary import DEPLOYMENT_STATUSES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import timedelta

    import httpx2

    from jobtrail.logs.log import Log
    from jobtrail.models import Job, JobDetail
    from jobtrail.paging import Listing
    from jobtrail.sources.blaxel.registration import BlaxelSettings
    from jobtrail.sources.http import Http
    from jobtrail.sources.http_client import SourceContext
    from jobtrail.sources.list_options import ListOptions

VERSION_HEADER = {"Blaxel-Version": VERSION}
_WORKSPACE_HEADER = "X-Blaxel-Workspace"


class Blaxel(Source):
    """A Blaxel workspace.

    Its cursors live 24 hours (seed documents, parameter `cursor`).

    Args:
        explain: returns the error for a job that does not exist, where this source alone cannot tell.
        wrap_log: adds to a log what is known of it elsewhere.
        lacking: why tasks may be counted and not listed, and what would mend that.
    """

    kind = "blaxel"
    deployment_words = frozenset(DEPLOYMENT_STATUSES)
    job_sorts = ("created_at", "name")
    job_sort = NEWEST_FIRST
    shortest_query = SHORTEST_QUERY
    cursor_life = 24 * 3600
    log_note = "Blaxel does not document the endpoint of these lines; its command line reads them there too"

    def __init__(
        self,
        name: str,
        http: Http,
        fingerprint: str,
        *,
        explain: Callable[[str], Awaitable[UnknownName]] | None = None,
        wrap_log: Callable[[Log], Log] = lambda log: log,
        lacking: str = "",
    ) -> None:
        batch = BlaxelBatch(http, self.jobs, explain or self.explain_unknown, wrap_log, lacking)
        super().__init__(name, fingerprint, batch=batch)
        self._http = http

    @property
    def sample(self) -> bool:
        """Whether the last answer was marked as sample data."""
        return self._http.sample

    async def aclose(self) -> None:
        """Close connections."""
        await self._http.client.aclose()

    @property
    def lead(self) -> timedelta:
        """How far the API's clock is ahead of ours."""
        return self._http.lead

    async def measure_clock(self) -> None:
        """Ask for one job, unless the API has answered lately; a refusal tells the time too."""
        if self._http.told_lately:
            return
        try:
            await self._http.get("jobs", {"limit": 1})
        except UpstreamError:
            if not self._http.told_lately:
                raise

    async def about(self) -> About:
        """Return which version of the API is spoken, and of which workspace the answers are."""
        page = parse_response(WirePage, await self._http.get("jobs", {"limit": 1}), self._http.subject)
        one = parse_row(WireJob, page.data[0], self._http.subject) if page.data else WireJob()
        told = one.metadata.workspace
        workspace = Workspace(
            asked=self._http.client.headers.get(_WORKSPACE_HEADER), told=told if isinstance(told, str) else None
        )
        return About(f"Blaxel-Version {VERSION}", self._http.ahead, workspace)

    def jobs(self, options: ListOptions) -> Listing[Job]:
        """List batch jobs (`GET /jobs`: cursor, limit 200, sort, q, status).

        `anchor=end` is not needed: the end of one order is the beginning of the other, which can be
        walked on.
        """
        params = build_query(options)
        if options.statuses:
            params["status"] = ",".join(sorted(word.upper() for word in options.statuses.raw))
        pages = PagedEndpoint["Job"](
            http=self._http, path="jobs", params=params, identity=lambda job: job.name,
            parse_row=lambda row: parse_row(WireJob, row, self._http.subject).to_job(),
        )  # fmt: skip
        listing = pages.list(options, applied={"statuses", *({"query"} if "q" in params else ())})
        return Checked(listing, lambda job: job.name, subject=self._http.subject)

    async def find_job(self, name: str) -> JobDetail | None:
        """Read one job (`GET /jobs/{jobId}`); `show_secrets` is never sent."""
        try:
            body = await self._http.get(f"jobs/{quote_name('job', name)}")
        except NotFound:
            return None
        wire = parse_fields(WireJob, body, self._http.subject)
        check_told("job", name, wire.metadata.name, self._http.subject)
        return wire.to_detail(self.name)

    async def explain_unknown(self, name: str) -> UnknownName:
        """Return the error for a job that does not exist."""
        body = await self._http.get("jobs", {"limit": LARGEST, "sort": "name:asc"})
        page = parse_response(WirePage, body, self._http.subject)
        known = [parse_row(WireJob, row, self._http.subject).to_job().name for row in page.data or []]
        return unknown_name("job", name, known)


def open_source(one: BlaxelSettings, fingerprint: str, context: SourceContext) -> Blaxel:
    """Open a workspace: by API key, else client credentials, else a device login."""
    base = (one.url or DEFAULT_URL).rstrip("/")
    headers = {**VERSION_HEADER, **({_WORKSPACE_HEADER: one.workspace} if one.workspace else {})}
    http = open_http(one, base, context, signer=_signer(one, base), headers=headers)
    return Blaxel(one.name, http, fingerprint)


def _signer(one: BlaxelSettings, base: str) -> httpx2.Auth | None:
    url = f"{base}/oauth/token"
    renewing = partial(BlaxelToken, url, subject=one.subject, settings_advice=one.settings_advice)
    if one.api_key:
        return Bearer(one.api_key.get_secret_value())
    if one.client_credentials:
        return renewing({"grant_type": "client_credentials"}, basic=one.client_credentials.get_secret_value())
    if one.access_token and one.refresh_token:
        grant = {
            "grant_type": "refresh_token",
            "refresh_token": one.refresh_token.get_secret_value(),
            "device_code": one.device_code.get_secret_value() if one.device_code else "",
            "client_id": "blaxel",
        }
        # How long the token still lives is not in the file; a 401 renews it.
        return renewing(grant, token=(one.access_token.get_secret_value(), 3600.0))
    return Bearer(one.access_token.get_secret_value()) if one.access_token else None
