"""Requests at the edges of what RunWisp's documents say, to be answered by the plane as the daemon answers them."""

from __future__ import annotations

__all__ = ["EDGES"]


def _each(text: str) -> list[str]:
    return text.split()


_WHOLE = _each("""
    abc 0 -1 1 1000 1001 1.5 %2B5 +5 05 %205 1_0 0x10 1e2 -0 9223372036854775807 9223372036854775808
    -9223372036854775808 9999999999999999999999999999999999999999 %EF%BC%95 5; 5=6
""")
_BOOLEAN = _each("""
    true false 1 0 t T f F TRUE True tRue yes 2 %20true
""")
_STATUS = _each("""
    , ,,failed %20failed failed,%20timeout failed%20 failed,failed ended Ended success running,pending
    ended,pending ended,pending,running failure Failure failure,succeeded failure,running nope failure,nope
    succeeded missed,skipped,queue_full,dst_skipped daemon_stopped
""")
_TIME = _each("""
    2020-01-01T00:00:02Z 2020-01-01T00:00:02%2B00:00 2020-01-01T00:00:02+00:00 2020-01-01T01:00:02%2B01:00
    2019-12-31T19:00:02-05:00 2020-01-01t00:00:02z 2020-01-01%2000:00:02Z 2020-01-01T00:00:02 2020-01-01
    2020-01-01T00:00:02.5Z 2020-01-01T00:00:02,5Z 2020-01-01T00:00:01.999999999Z 2020-01-01T00:00:02.0000000009Z
    2020-01-01T00:00:02.123456788Z 2020-01-01T00:00:02.123456789Z 2020-01-01T00:00:02.1234567891Z
    2020-01-01T00:00:60Z 2020-01-01T24:00:00Z 2020-13-01T00:00:00Z 2020-02-30T00:00:00Z 2020-02-29T00:00:00Z
    2100-02-29T00:00:00Z 0000-02-29T00:00:00Z 0000-02-30T00:00:00Z 0001-01-01T00:00:00Z
    0001-01-01T01:00:00%2B01:00 0001-01-01T00:00:00.000000001Z 9999-12-31T23:59:59.999999999Z
    2262-04-11T23:47:16.854775807Z 2262-04-12T00:00:00Z 1677-01-01T00:00:00Z 2020-01-01T00:00:02%2B24:00
    2020-01-01T00:00:02%2B24:60 2020-01-01T00:00:02%2B25:00 2020-01-01T00:00:02%2B00:61 2020-01-01T0:00:02Z
    2020-01-01T00:0:02Z 2020-01-01T00:00:2Z 2020-1-01T00:00:02Z 2020-01-01T00:00:02.Z 2020-01-01T00:00:02%2B1:00
    2020-01-01T00:00:02%2B0000 2020-01-01T00:00:02Z%20 x 1577836801
""")
_EXIT = _each("""
    0 -1 1 2 -0 01 abc 1.5 %2B1 --1 0%0A %20 %EF%BC%91 9223372036854775807 9223372036854775808
    -9223372036854775809 9999999999999999999999999999999999999999
""")
_SEARCH = _each("""
    %20 tie TIE tie-a %20tie-a tie-a%20 %25 _ %25_%25 tie%25a tie_a -a 01dx 01DXF6DT0 tie%20a %5C %22 %27
    %27%20OR%201=1-- * tie* %C3%89 %C3%A9 %C3%84 a%2Bb a,b %ff %C3 %zz % %e nightly_report nightlyreport cron
    ended
""")
_ODD = _each("""
    limit=1&limit=3 limit=bad&limit=3 limit=3&limit=bad limit=&limit=3 limit=%zz&limit=3 limit=%3&limit=3
    taskName=tie-a&taskName=tie-b status=failed&status=timeout limit=1&unknown=5 LIMIT=1 limit=1;offset=3
    limit=1&& &&limit=1 limit limit&offset=5 offset=5&limit isFailure isFailure&limit=3 limit=3&isFailure
    isFailure& &isFailure isFailure&&limit=3 retriesOnly&isFailure isFailure&isFailure=true search taskName
    status =5&limit=3 %6Cimit=1 li%6dit=2&limit=3 %zzlimit=3 sea+rch=x limit==3 ?limit=3
    limit=3&sort_field=duration&task_name=tie-a limit=3&sortfield=duration sortField= sortField=TASKNAME
    sortField=task_name sortField=%20createdAt sortField=%ff sortField=x%22y sortDirection= sortDirection=ASC
    sortDirection=up sortField=&sortDirection= sortDirection=asc triggeredBy= triggeredBy=CRON triggeredBy=cloud
    triggeredBy=x triggeredBy=cron triggeredBy=api triggeredBy=ui triggeredBy=cli triggeredBy=station
    triggeredBy=service triggeredBy=startup taskName= taskName=TIE-a taskName=nope taskName=%20tie-a
    taskName=tie%25 isFailure=true&status=succeeded isFailure=false&status=succeeded isFailure=true&status=nope
    isFailure=true&taskName=tie-a isFailure=true&retriesOnly=true isFailure=true&search=tie-a
    isFailure=1&status=running exitCodeMin=0&exitCodeMax=0 exitCodeMin=5&exitCodeMax=1
    exitCodeMin=1&status=failed&triggeredBy=cron
    createdAfter=2020-01-01T00:00:02Z&createdBefore=2020-01-01T00:00:02Z
    createdAfter=2020-01-01T00:00:03Z&createdBefore=2020-01-01T00:00:01Z
""")
_ALL_WRONG = "&".join(
    f"{name}=q"
    for name in _each("""
    status triggeredBy createdAfter createdBefore exitCodeMin exitCodeMax retriesOnly isFailure sortField
    sortDirection search limit offset
    """)
)
_ORDERS = [
    f"sortField={field}&sortDirection={direction}"
    for field in ("taskName", "status", "startedAt", "exitCode", "duration", "createdAt", "")
    for direction in ("asc", "desc", "")
]
_FILTERS = _each("""
    &taskName=tie-a &taskName=healthcheck-api &status=failed,timeout &status=failure &status=succeeded
    &status=ended&taskName=tie-b &search=tie &createdBefore=2020-12-31T00:00:00Z &offset=7&status=failed
    &createdAfter=2020-12-31T00:00:00Z&status=failed&taskName=backup-restore-test
""")
_LOG = _each("""
    from=-20 from=-20&limit=5 from=0&limit=3 from=5&limit=4 limit=2 from=100000 from=-100000&limit=3
    from=&limit=2 from=x from=1.5 from=-0&limit=2 from=-1 from=-1&limit=1 from=3&limit=1 limit=0 limit=-1
    limit=10000 limit=10001 limit=&from=-3 from=9223372036854775807 from=-9223372036854775808&limit=1
    from=9223372036854775808 from foo=1&limit=1&from=7
""")
_LOG_SEARCH = _each("""
    q= q=502 q=UPSTREAM q=UPSTREAM&case=true q=up.*502 q=zzzz q=%20 q=x&limit=0 q=x&limit=1001 q=zzz&limit=
    q=zzz&cursor= q=x&cursor=bad q=x&runId=bad q=x&runId=00000000000000000000000000 q=x&regex=maybe
    q=x&case=maybe limit=0 q=%C3%A9 q=502&runId={failed} q=zzz&runId={failed} q=502&runId={long}
    q=502&runId={failed}&limit=1000 q=zzz&regex=&case=&runId= q
""")
_PATHS = _each("""
    /health?x=1 /api/daemon?x /api/tasks?limit=x /api/runs/summary?x=1 /api/runs/{failed}?x=1 /api/runs/{kept}
    /api/runs/{deleted} /api/runs/x /api/runs/%20 /api/runs/00000000000000000000000000
    /api/runs/UUUUUUUUUUUUUUUUUUUUUUUUUU /api/runs/000000000000000000000000000
    /api/runs/aaaaaaaaaaaaaaaaaaaaaaaaaa /api/runs/%C3%A9 /api/runs/%ff /api/runs/%00 /api/tasks/healthcheck-tls
    /api/tasks/cache-warmer /api/tasks/nope /api/tasks/a%20b /api/tasks/a:b /api/tasks/.. /api/tasks/%2e%2e
    /api/tasks/%C3%A9 /api/runs/{deleted}/log /api/runs/x/log?from=q&limit=0
    /api/runs/00000000000000000000000000/log /api/runs/{kept}/log /api/runs/{pending}/log /api/runs/{going}/log
    /api/tasks/nope/log/search?q=x /api/tasks/a%20b/log/search?q=x /api/tasks/nope/log/search
    /api/tasks/nope/log/search?q=upstream&runId={failed}
    /api/tasks/reindex-search/log/search?q=id=00000042
""")
_LONG_PATHS = [
    *(f"/api/tasks/{'x' * length}" for length in (100, 101)),
    *(f"/api/tasks/{'%C3%A9' * length}" for length in (51, 101)),
    *(f"/api/tasks/healthcheck-api/log/search?q={'z' * length}" for length in (1024, 1025)),
]

_OLD = "/api/runs?createdBefore=2020-12-31T00:00:00Z"
"""The runs that the test inserted, and not the hundreds of the demo."""
EDGES = [
    *(f"{_OLD}&{name}={value}" for name in ("limit", "offset") for value in ("", *_WHOLE)),
    *(f"{_OLD}&{name}={value}" for name in ("isFailure", "retriesOnly") for value in ("", *_BOOLEAN)),
    *(f"{_OLD}&{name}={value}" for name in ("exitCodeMin", "exitCodeMax") for value in ("", *_EXIT)),
    *(f"{_OLD}&status={value}" for value in ("", *_STATUS)),
    *(f"/api/runs?taskName=tie-a&createdBefore={value}" for value in ("", *_TIME)),
    *(f"/api/runs?taskName=tie-b&createdAfter={value}" for value in ("", *_TIME)),
    *(f"{_OLD}&search={value}" for value in ("", "x" * 5000, *_SEARCH)),
    *(f"{_OLD}&{value}" for value in (f"taskName={'x' * 300}", _ALL_WRONG, *_ODD)),
    *(f"/api/runs?limit=1000&{order}{narrowed}" for order in _ORDERS for narrowed in ("", *_FILTERS)),
    *(f"/api/runs/{{long}}/log?{query}" for query in ("", *_LOG)),
    *(f"/api/tasks/healthcheck-api/log/search?{query}" for query in ("", *_LOG_SEARCH)),
    *_PATHS,
    *_LONG_PATHS,
]
"""As they go over the wire; names in braces stand for ids at hand."""
