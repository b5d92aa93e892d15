"""The way to an upstream: directly or through a proxy of the environment, and the certificates that are trusted.

The variables are those of curl and of Python's `urllib.request.getproxies`, `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`
and `NO_PROXY` in either case, and OpenSSL's `SSL_CERT_FILE` and `SSL_CERT_DIR`.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from urllib.request import getproxies, proxy_bypass

import httpx2

from jobtrail.errors import Unreachable
from jobtrail.settings import is_loopback
from jobtrail.text import sanitize_text

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Route:
    """How requests get to an upstream.

    Attributes:
        transport: sends them.
        proxy: how errors name what stands between, such as `the proxy http://proxy:3128 (HTTPS_PROXY)`; empty if
            nothing does.
    """

    transport: httpx2.AsyncBaseTransport
    proxy: str = ""


def find_route(base: str, subject: str) -> Route:
    """Return the way to an API.

    Args:
        base: URL of the API; this machine is reached by no proxy, which would be sent the credentials.
        subject: how an error names the upstream.
    """
    url = httpx2.URL(base)
    address, variable = _find_proxy(url)
    place = f"the proxy {_write_address(address)} ({variable})" if address else ""
    try:
        proxy = httpx2.Proxy(address) if address else None
    except (ValueError, httpx2.InvalidURL):
        problem = f"cannot be reached: {variable} is no address of a proxy"
        return _close(subject, problem, f"set {variable} to one such as http://proxy.example:3128, or unset it")
    try:
        # Where nothing is encrypted no certificate is read, so that a variable that is wrong costs nothing.
        verify = httpx2.create_ssl_context() if url.scheme == "https" else False
    except OSError as error:
        variable = next((name for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if os.environ.get(name)), "")
        why = "cannot be read as certificates" if isinstance(error, ssl.SSLError) else (error.strerror or "fails")
        problem = f"cannot be reached: {variable or 'the certificates of this machine'}: {why}"
        advice = f"set {variable or 'SSL_CERT_FILE'} to a file of certificates (PEM)"
        return _close(subject, problem, advice + (", or unset it" if variable else ""))
    return Route(httpx2.AsyncHTTPTransport(verify=verify, proxy=proxy), place)


def _close(subject: str, problem: str, advice: str) -> Route:
    """Return the way that a wrong variable closes: each request fails with what is wrong, and no other source's."""

    def refuse(_request: httpx2.Request) -> httpx2.Response:
        raise Unreachable(problem, subject=subject, advice=advice)

    return Route(httpx2.MockTransport(refuse))


def _find_proxy(url: httpx2.URL) -> tuple[str, str]:
    """Return the address of the proxy for a URL, and the variable that names it; two empty texts for none."""
    found = getproxies()
    scheme = url.scheme if found.get(url.scheme) else "all"
    address = found.get(scheme, "")
    if not address or is_this_machine(url.host) or _is_bypassed(url):
        return "", ""
    names = (f"{scheme}_proxy", f"{scheme}_proxy".upper())
    variable = next((name for name in names if os.environ.get(name)), "the system's settings")
    return (address if "://" in address else f"http://{address}"), variable


def _is_bypassed(url: httpx2.URL) -> bool:
    """Return whether NO_PROXY or the system excepts a host: by name, by the end of a name, or by a network (CIDR)."""
    port = url.port or _DEFAULT_PORTS.get(url.scheme, 0)
    if proxy_bypass(f"{url.host}:{port}"):
        return True
    for entry in getproxies().get("no", "").split(","):
        with suppress(ValueError):
            if ipaddress.ip_address(url.host) in ipaddress.ip_network(entry.strip(), strict=False):
                return True
    return False


def _write_address(address: str) -> str:
    """Return the address of a proxy without its user name and password."""
    scheme, _, rest = address.partition("://")
    return sanitize_text(f"{scheme}://{rest.partition('/')[0].rpartition('@')[2]}", 100)


def is_this_machine(host: str) -> bool:
    """Return whether a connection to an address never leaves this machine, in any spelling that connects.

    `127.1` and `0x7f000001` are 127.0.0.1; 0.0.0.0 is this machine too, and every name under `localhost` (RFC 6761).
    """
    with suppress(OSError):
        host = socket.inet_ntoa(socket.inet_aton(host))
    return is_loopback(host) or host in {"0.0.0.0", "::"} or host.lower().rstrip(".").endswith(".localhost")  # noqa: S104 # nothing listens here
