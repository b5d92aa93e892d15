"""Settings: which variable and which file wins, and that no secret can be seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from jobtrail.errors import SettingsError
from jobtrail.sources.registry import ENVIRONMENT, load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from jobtrail.settings import Settings, SourceSettings

SECRET_KEYS = (
    "api_key",
    "client_credentials",
    "access_token",
    "refresh_token",
    "device_code",
    "password",
    "token",
)


def secrets(source: SourceSettings) -> dict[str, str]:
    """Return the secrets that are set, in clear."""
    found = {key: getattr(source, key, None) for key in SECRET_KEYS}
    return {key: value.get_secret_value() for key, value in found.items() if value is not None}


def only(settings: Settings) -> Any:
    (source,) = settings.sources
    return source


def log_in(home: Path, credentials: dict[str, Any] | None, *, current: str | None = "acme") -> Path:
    """Write the file of `bl login`: the workspace `acme` as given, and another one."""
    entries: list[dict[str, Any]] = []
    if credentials is not None:
        entries = [
            {"name": "acme", "id": "1", "env": "prod", "credentials": credentials},
            {"name": "other", "credentials": {"apiKey": "key-of-other"}},
        ]
    path = home / ".blaxel" / "config.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump({"context": {"workspace": current}, "workspaces": entries}), encoding="utf-8")
    return path


def toml(folder: Path, text: str) -> dict[str, str]:
    """Write a settings file; return the variable that names it."""
    path = folder / "jobtrail.toml"
    path.write_text(text, encoding="utf-8")
    return {"JOBTRAIL_CONFIG": str(path)}


def test_nothing_configured_is_the_embedded_plane_in_utc(no_settings: Path) -> None:
    settings = load_settings()
    assert (only(settings).name, only(settings).kind, settings.default) == ("embedded", "embedded", "embedded")
    assert settings.zone().key == "UTC"
    assert (settings.auth_token, settings.allowed_hosts, settings.log_level) == (None, (), "WARNING")


def test_blank_variables_count_as_unset(no_settings: Path) -> None:
    blank = dict.fromkeys(ENVIRONMENT, "  ")
    assert load_settings(blank) == load_settings({})


def test_what_a_bundle_s_host_leaves_of_a_setting_nobody_filled_in_counts_as_unset(no_settings: Path) -> None:
    left = {name: f"${{user_config.{name.lower()}}}" for name in ENVIRONMENT}
    assert load_settings(left) == load_settings({})
    (source,) = load_settings(
        {**left, "RUNWISP_URL": "http://127.0.0.1:9477", "RUNWISP_PASSWORD": "a ${user_config.x}"}
    ).sources
    assert secrets(source) == {"password": "a ${user_config.x}"}


def test_an_api_key_wins_over_client_credentials_and_both_over_the_login_file(tmp_path: Path) -> None:
    log_in(tmp_path, {"apiKey": "key-of-file"})
    environ = {"BL_API_KEY": "key", "BL_CLIENT_CREDENTIALS": "aWQ6c2VjcmV0", "BL_WORKSPACE": "acme"}
    assert secrets(only(load_settings(environ, tmp_path))) == {"api_key": "key"}
    del environ["BL_API_KEY"]
    assert secrets(only(load_settings(environ, tmp_path))) == {"client_credentials": "aWQ6c2VjcmV0"}
    del environ["BL_CLIENT_CREDENTIALS"]
    assert secrets(only(load_settings(environ, tmp_path))) == {"api_key": "key-of-file"}


@pytest.mark.parametrize(
    ("credentials", "expected"),
    [
        ({"apiKey": "key"}, {"api_key": "key"}),
        ({"client_credentials": "aWQ6cw=="}, {"client_credentials": "aWQ6cw=="}),
        ({"clientCredentials": "aWQ6cw=="}, {"client_credentials": "aWQ6cw=="}),
        (
            {"access_token": "a", "refresh_token": "r", "expires_in": 7200, "device_code": "d"},
            {"access_token": "a", "refresh_token": "r", "device_code": "d"},
        ),
        ({"access_token": "a"}, {"access_token": "a"}),
        ({"apiKey": "key", "client_credentials": "aWQ6cw==", "access_token": "a"}, {"api_key": "key"}),
        ({"apiKey": "", "client_credentials": "aWQ6cw==", "access_token": "a"}, {"client_credentials": "aWQ6cw=="}),
    ],
)
def test_every_form_of_login_in_the_file_is_read(
    tmp_path: Path, credentials: dict[str, Any], expected: dict[str, str]
) -> None:
    log_in(tmp_path, credentials)
    source = only(load_settings({}, tmp_path))
    assert (source.name, source.kind, source.workspace, source.url) == ("blaxel", "blaxel", "acme", None)
    assert secrets(source) == expected


def test_bl_workspace_overrides_the_file_s_context(tmp_path: Path) -> None:
    log_in(tmp_path, {"apiKey": "key"})
    source = only(load_settings({"BL_WORKSPACE": "other"}, tmp_path))
    assert (source.workspace, secrets(source)) == ("other", {"api_key": "key-of-other"})


def test_a_workspace_the_file_does_not_have_is_an_error(tmp_path: Path) -> None:
    path = log_in(tmp_path, {"apiKey": "key"})
    with pytest.raises(SettingsError, match=f"{path} has no workspace 'gone'; set BL_WORKSPACE or run `bl login`"):
        load_settings({"BL_WORKSPACE": "gone"}, tmp_path)


def test_the_file_of_someone_who_logged_out_stands_in_nobody_s_way(tmp_path: Path) -> None:
    log_in(tmp_path, None, current=None)
    assert only(load_settings({}, tmp_path)).kind == "embedded"
    assert only(load_settings({"RUNWISP_TOKEN": "t"}, tmp_path)).kind == "runwisp"
    with pytest.raises(SettingsError, match="BL_WORKSPACE is set, but no Blaxel credentials are"):
        load_settings({"BL_WORKSPACE": "acme"}, tmp_path)


def test_a_broken_login_file_matters_only_where_it_would_be_read(tmp_path: Path) -> None:
    log_in(tmp_path, {}).write_text("workspaces: [", encoding="utf-8")
    assert secrets(only(load_settings({"BL_API_KEY": "key"}, tmp_path))) == {"api_key": "key"}
    with pytest.raises(SettingsError, match="run `bl login` again"):
        load_settings({}, tmp_path)


def test_bl_api_url_replaces_the_address_and_needs_no_credentials(tmp_path: Path) -> None:
    source = only(load_settings({"BL_API_URL": "http://127.0.0.1:9478/v0"}, tmp_path))
    assert (source.kind, source.url, secrets(source)) == ("blaxel", "http://127.0.0.1:9478/v0", {})
    log_in(tmp_path, {"apiKey": "key"})
    source = only(load_settings({"BL_API_URL": "http://127.0.0.1:9478/v0"}, tmp_path))
    assert (source.url, source.workspace, secrets(source)) == ("http://127.0.0.1:9478/v0", "acme", {"api_key": "key"})


def test_each_runwisp_variable_is_read(tmp_path: Path) -> None:
    environ = {"RUNWISP_URL": "http://h:9477", "RUNWISP_PASSWORD": " pass word ", "RUNWISP_TOKEN": "t"}
    source = only(load_settings(environ, tmp_path))
    assert (source.name, source.kind, source.url) == ("runwisp", "runwisp", "http://h:9477")
    assert secrets(source) == {"password": " pass word ", "token": "t"}
    source = only(load_settings({"RUNWISP_SOCKET": "/run/runwisp.sock"}, tmp_path))
    assert (source.socket, source.url, secrets(source)) == ("/run/runwisp.sock", None, {})


def test_line_ends_that_secret_files_leave_are_dropped(tmp_path: Path) -> None:
    environ = {
        "BL_API_KEY": "key\n",
        "BL_WORKSPACE": " acme\r\n",
        "BL_API_URL": "http://h/v0 ",
        "RUNWISP_TOKEN": "t\n",
        "JOBTRAIL_AUTH_TOKEN": "a\n",
    }
    settings = load_settings(environ, tmp_path)
    sources: Any = settings.sources
    blaxel, runwisp = sources
    assert (blaxel.workspace, blaxel.url, secrets(blaxel)) == ("acme", "http://h/v0", {"api_key": "key"})
    assert secrets(runwisp) == {"token": "t"}
    assert settings.auth_token
    assert settings.auth_token.get_secret_value() == "a"


def test_a_file_configures_several_sources_in_its_order(tmp_path: Path) -> None:
    text = """
        default = "cron"
        timezone = "Europe/Berlin"
        [sources.prod]
        kind = "blaxel"
        workspace = "acme"
        api_key_env = "PROD_KEY"
        [sources.staging]
        kind = "blaxel"
        url = "https://staging.example/v0"
        client_credentials = "aWQ6cw=="
        [sources.cron]
        kind = "runwisp"
        socket = "/run/runwisp.sock"
        password_env = "CRON_PASSWORD"
        [sources.sample]
        kind = "embedded"
    """
    environ = {**toml(tmp_path, text), "PROD_KEY": "key", "CRON_PASSWORD": "password"}
    settings = load_settings(environ, tmp_path)
    assert [(one.name, one.kind) for one in settings.sources] == [
        ("prod", "blaxel"),
        ("staging", "blaxel"),
        ("cron", "runwisp"),
        ("sample", "embedded"),
    ]
    assert [secrets(one) for one in settings.sources] == [
        {"api_key": "key"},
        {"client_credentials": "aWQ6cw=="},
        {"password": "password"},
        {},
    ]
    assert (settings.default, settings.timezone) == ("cron", "Europe/Berlin")
    assert "[sources.prod]" in settings.sources[0].origin


@pytest.mark.parametrize("environ", [{}, {"PROD_KEY": ""}, {"PROD_KEY": " "}])
def test_a_secret_s_variable_that_is_not_set_is_an_error(tmp_path: Path, environ: dict[str, str]) -> None:
    named = toml(tmp_path, '[sources.prod]\nkind = "blaxel"\napi_key_env = "PROD_KEY"\n')
    with pytest.raises(SettingsError, match=r"reads api_key from \$PROD_KEY, which is not set"):
        load_settings({**named, **environ}, tmp_path)


def test_sources_of_the_environment_come_first_and_win_over_the_file_s_namesakes(tmp_path: Path) -> None:
    text = """
        timezone = "Europe/Berlin"
        [sources.prod]
        kind = "embedded"
        [sources.runwisp]
        kind = "embedded"
    """
    environ = {**toml(tmp_path, text), "RUNWISP_TOKEN": "t", "BL_API_KEY": "key", "JOBTRAIL_TZ": "Asia/Tokyo"}
    settings = load_settings(environ, tmp_path)
    assert [(one.name, one.kind) for one in settings.sources] == [
        ("blaxel", "blaxel"),
        ("runwisp", "runwisp"),
        ("prod", "embedded"),
    ]
    assert (settings.default, settings.timezone) == ("blaxel", "Asia/Tokyo")


def test_jobtrail_source_wins_over_the_file_s_default_and_that_over_the_first(tmp_path: Path) -> None:
    text = '[sources.a]\nkind = "embedded"\n[sources.b]\nkind = "embedded"\n[sources.c]\nkind = "embedded"\n'
    assert load_settings(toml(tmp_path, text), tmp_path).default == "a"
    named = toml(tmp_path, f'default = "b"\n{text}')
    assert load_settings(named, tmp_path).default == "b"
    assert load_settings({**named, "JOBTRAIL_SOURCE": "c"}, tmp_path).default == "c"
    with pytest.raises(SettingsError, match="default source 'd' is not configured; configured: a, b, c"):
        load_settings({**named, "JOBTRAIL_SOURCE": "d"}, tmp_path)


def test_without_jobtrail_config_the_file_in_the_config_directory_is_read(no_settings: Path) -> None:
    path = no_settings / "config" / "jobtrail" / "config.toml"
    path.parent.mkdir(parents=True)
    path.write_text('[sources.mine]\nkind = "embedded"\n', encoding="utf-8")
    assert only(load_settings()).name == "mine"


def test_the_remaining_variables_are_read(tmp_path: Path) -> None:
    environ = {
        "JOBTRAIL_AUTH_TOKEN": "secret",
        "JOBTRAIL_ALLOWED_HOSTS": "jobs.example, jobs.example:8080 ,",
        "JOBTRAIL_LOG_LEVEL": "info",
    }
    settings = load_settings(environ, tmp_path)
    assert settings.allowed_hosts == ("jobs.example", "jobs.example:8080")
    assert settings.log_level == "INFO"


def test_no_secret_shows_in_any_form_of_the_settings(tmp_path: Path) -> None:
    secret = "s3cr3t"
    text = f"""
        [sources.a]
        kind = "blaxel"
        client_credentials = "{secret}"
        [sources.b]
        kind = "runwisp"
        url = "http://me:{secret}@runwisp.example"
        password = "{secret}"
        token = "{secret}"
    """
    log_in(tmp_path, {"access_token": secret, "refresh_token": secret, "device_code": secret})
    settings = load_settings({**toml(tmp_path, text), "JOBTRAIL_AUTH_TOKEN": secret}, tmp_path)
    assert len(settings.sources) == 3
    for thing in (settings, *settings.sources):
        assert secret not in repr(thing)
        assert secret not in str(thing)
        assert secret not in f"{thing:}"


@pytest.mark.parametrize("left", ["${BL_API_KEY}", "${env:BL_API_KEY}", " ${input:jobtrail-BL_API_KEY}\n"])
def test_a_reference_that_a_client_did_not_fill_in_is_named_and_not_sent_as_a_key(left: str, tmp_path: Path) -> None:
    with pytest.raises(
        SettingsError, match=r"BL_API_KEY is '.*', which the client that started Jobtrail did not fill in"
    ):
        load_settings({"BL_API_KEY": left, "BL_WORKSPACE": "acme"}, tmp_path)


def test_a_blaxel_source_of_the_file_needs_credentials_or_an_address_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[sources.a]\nkind = "blaxel"\nworkspace = "acme"\n', encoding="utf-8")
    with pytest.raises(SettingsError, match=r"\[sources.a\] of .* has no credentials; give api_key_env or"):
        load_settings({"JOBTRAIL_CONFIG": str(file)}, tmp_path)
    file.write_text('[sources.a]\nkind = "blaxel"\nurl = "http://127.0.0.1:9478/v0"\n', encoding="utf-8")
    assert load_settings({"JOBTRAIL_CONFIG": str(file)}, tmp_path).default == "a"
