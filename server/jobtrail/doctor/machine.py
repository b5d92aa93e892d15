"""Check the settings and the embedded store of this machine."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import platformdirs

from jobtrail.doctor.report import Check
from jobtrail.errors import SettingsError
from jobtrail.settings import OWN_VARIABLES, store_path
from jobtrail.sources.registry import UPSTREAMS
from jobtrail.store.faults import StoreError, exists
from jobtrail.store.files import can_others_replace, is_open_to_others, resolve
from jobtrail.store.integrity import check_integrity
from jobtrail.text import find_closest, quote_unless_word, sanitize_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from jobtrail.doctor.report import Verdict
    from jobtrail.settings import Settings
    from jobtrail.store.integrity import IntegrityReport

CHECK_SECONDS = 10.0
"""How long the store is searched for damage, at most."""
_OWN_FILE = "set JOBTRAIL_STORE to a file of your own"


def examine_settings(settings: Settings | None, trouble: str, environ: Mapping[str, str]) -> Iterator[Check]:
    """Check the settings.

    Args:
        settings: the settings; None if they could not be read.
        trouble: why they could not be read.
        environ: the environment they were read from.
    """
    yield from _examine_file(environ)
    if settings is None:
        yield _make_settings_check(
            "reading", "failed", sanitize_text(trouble, 400), "correct it; until then no source is asked"
        )
    else:
        names = ", ".join(f"{one.name} ({one.kind})" for one in settings.sources)
        yield _make_settings_check("sources", "ok", f"{names}; default {settings.default}")
        yield _make_settings_check("time zone", "ok", settings.timezone)
    unknown = [name for name in environ if name.startswith("JOBTRAIL_") and name not in OWN_VARIABLES]
    for name in sorted(unknown):
        near = find_closest(name, OWN_VARIABLES, 1)
        fix = f"rename it {near[0]}, or unset it" if near else "unset it"
        yield _make_settings_check(
            "variables", "warning", f"{quote_unless_word(name, 60)} is set, and nothing reads it", fix
        )


def _make_settings_check(check: str, verdict: Verdict, found: str, fix: str | None = None) -> Check:
    return Check("settings", "", check, verdict, found, fix)


def _examine_file(environ: Mapping[str, str]) -> Iterator[Check]:
    """Check which file is read, and whether other users can read the secrets in it."""
    named = environ.get("JOBTRAIL_CONFIG", "").strip()
    try:
        path = Path(named or platformdirs.user_config_path("jobtrail") / "config.toml").expanduser()
        there = path.is_file()
    except (RuntimeError, OSError):
        return
    if not there:
        if not named:
            yield _make_settings_check("file", "ok", f"none at {path}; the environment alone is read")
        return
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        # The check of reading the settings reports what is wrong with it.
        return
    keys = sorted({key for upstream in UPSTREAMS.values() for key in upstream.settings.secrets})
    secret = [key for key in keys if any(key in one for one in _list_tables(table))]
    if secret and is_open_to_others(path):
        found = f"{path} holds {' and '.join(secret)}, and others on this machine can read it"
        yield _make_settings_check("file", "warning", found, f"chmod 600 {path}")
    else:
        yield _make_settings_check("file", "ok", str(path))


def _list_tables(table: dict[str, Any]) -> list[dict[str, Any]]:
    sources = table.get("sources")
    values: list[Any] = [*cast("dict[str, Any]", sources).values()] if isinstance(sources, dict) else []
    return [cast("dict[str, Any]", one) for one in values if isinstance(one, dict)]


def examine_store(environ: Mapping[str, str]) -> Iterator[Check]:
    """Check the embedded store, without changing anything in it."""
    try:
        path = store_path(environ)
        if not exists(path):
            yield _make_store_check(
                "file", "ok", f"none yet at {path}; the sample is shown until `jobtrail record` makes one"
            )
            return
        found = check_integrity(path, CHECK_SECONDS)
    except StoreError as error:
        yield _make_store_check("file", "failed", sanitize_text(error.what, 300), error.advice or _OWN_FILE)
        return
    except SettingsError as error:
        yield _make_store_check("file", "failed", sanitize_text(str(error)), _OWN_FILE)
        return
    yield _make_store_check("file", "ok", f"{path}, {found.size / 1_000_000:,.1f} MB")
    yield from _examine_integrity(path, found)


def _make_store_check(check: str, verdict: Verdict, found: str, fix: str | None = None) -> Check:
    return Check("store", "", check, verdict, found, fix)


def _examine_integrity(path: Path, found: IntegrityReport) -> Iterator[Check]:
    if is_open_to_others(path):
        yield _make_store_check(
            "permissions", "warning", f"others on this machine can read it ({found.mode:o})", f"chmod 600 {path}"
        )
    elif os.name == "posix" and can_others_replace(path):
        folder = resolve(path).parent
        yield _make_store_check(
            "permissions",
            "warning",
            f"others on this machine can write {folder}, and replace it",
            f"chmod go-w {folder}",
        )
    elif not os.access(path, os.W_OK):
        yield _make_store_check(
            "permissions", "warning", "it can be read and not written: nothing is recorded in it", f"chmod u+w {path}"
        )
    else:
        yield _make_store_check("permissions", "ok", "readable by you alone")
    if found.version > found.known:
        fix = "use a newer Jobtrail, or another JOBTRAIL_STORE"
        yield _make_store_check(
            "schema", "failed", f"version {found.version}, and this Jobtrail knows up to {found.known}", fix
        )
    elif found.version < found.known:
        yield _make_store_check(
            "schema", "ok", f"version {found.version}; it becomes {found.known} when it is next opened"
        )
    else:
        yield _make_store_check("schema", "ok", f"version {found.version}")
    if found.faults:
        fix = f"`jobtrail store salvage FILE` copies what can be read of {path} into a new store"
        yield _make_store_check("integrity", "failed", sanitize_text("; ".join(found.faults), 200), fix)
    elif found.faults is None:
        yield _make_store_check(
            "integrity", "ok", f"no fault within {CHECK_SECONDS:g} s; it is too large to be read whole in that"
        )
    else:
        yield _make_store_check("integrity", "ok", "no fault")
    gone = f"; {found.gone} vanished, whose tasks are failed when the store is next read" if found.gone else ""
    yield _make_store_check("recorders", "ok", f"{found.living or 'none'} running{gone}")
