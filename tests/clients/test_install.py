"""`jobtrail install`: what was there stays, when the entry comes and when it goes again, on three platforms."""

from __future__ import annotations

import json
import os
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from jobtrail.clients import (
    CLIENTS,
    Installation,
    Machine,
    Scope,
    StartCommand,
    build_entry,
    find_config_path,
    find_start_command,
    install,
    uninstall,
)
from jobtrail.clients.config_file import back_up, read_config, write_config
from jobtrail.clients.jsonc import JsoncError, parse_jsonc
from jobtrail.clients.server_entry import put_entry, remove_entry
from jobtrail.errors import SettingsError
from jobtrail.sources.registry import ENVIRONMENT
from tests.cli.commands import SECRET, read_refusal, run_command, run_process
from tests.hypothesis_profiles import scale_examples

if TYPE_CHECKING:
    from collections.abc import Mapping

COMMAND = StartCommand("/opt/jobtrail/bin/jobtrail", ("serve",))
PLATFORMS = ("darwin", "linux", "win32")
PLACES: list[tuple[str, Scope]] = [(name, scope) for name, one in CLIENTS.items() for scope in one.scopes]
OTHER = {"command": "npx", "args": ["-y", "other"], "env": {"OTHER_TOKEN": SECRET}}


def machine(base: Path, platform: str = "linux", **environ: str) -> Machine:
    (base / "home").mkdir(exist_ok=True)
    (base / "project").mkdir(exist_ok=True)
    return Machine(base / "home", environ, platform, base / "project")


def installation(client: str, scope: Scope = "user", *, force: bool = False, **env: str | None) -> Installation:
    return Installation(CLIENTS[client], scope, env=env, force=force, variables=ENVIRONMENT)


def backups(path: Path) -> list[Path]:
    return sorted(path.parent.glob(f"{path.name}.jobtrail-*"))


def written(path: Path) -> dict[str, Any]:
    return parse_jsonc(path.read_text(encoding="utf-8")).value


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize(("client", "scope"), PLACES)
def test_a_client_without_a_file_gets_one_and_undoing_takes_the_entry_out_of_it(
    tmp_path: Path, client: str, scope: Scope, platform: str
) -> None:
    here = machine(tmp_path, platform)
    done = install(installation(client, scope), here, COMMAND)
    assert (done.changed, done.backup, done.path) == (
        True,
        None,
        find_config_path(CLIENTS[client], scope, here).resolve(),
    )
    entry = written(done.path)[CLIENTS[client].servers_key]["jobtrail"]
    assert (entry["command"], entry["args"]) == ("/opt/jobtrail/bin/jobtrail", ["serve"])
    assert entry.get("type") == (None if client == "claude-desktop" else "stdio")
    assert done.path.read_text(encoding="utf-8").endswith("\n}\n")
    assert uninstall(installation(client, scope), here).changed
    assert written(done.path) == {CLIENTS[client].servers_key: {}}


def test_each_platform_has_its_own_places(tmp_path: Path) -> None:
    def places(platform: str, **environ: str) -> list[str]:
        here = machine(tmp_path, platform, **environ)
        return [find_config_path(CLIENTS[name], "user", here).relative_to(tmp_path).as_posix() for name in CLIENTS]

    common = ["home/.claude.json", "home/.cursor/mcp.json"]
    assert places("darwin") == [
        "home/Library/Application Support/Claude/claude_desktop_config.json",
        common[0],
        "home/Library/Application Support/Code/User/mcp.json",
        common[1],
    ]
    assert places("linux") == [
        "home/.config/Claude/claude_desktop_config.json", common[0], "home/.config/Code/User/mcp.json", common[1],
    ]  # fmt: skip
    assert places("linux", XDG_CONFIG_HOME=str(tmp_path / "xdg"), CLAUDE_CONFIG_DIR=str(tmp_path / "cc")) == [
        "xdg/Claude/claude_desktop_config.json", "cc/.claude.json", "xdg/Code/User/mcp.json", common[1],
    ]  # fmt: skip
    assert places("win32", APPDATA=str(tmp_path / "roaming")) == [
        "roaming/Claude/claude_desktop_config.json", common[0], "roaming/Code/User/mcp.json", common[1],
    ]  # fmt: skip
    package = tmp_path / "local" / "Packages" / "Claude_pzs8sxrjxfjjc" / "LocalCache" / "Roaming"
    package.mkdir(parents=True)
    packaged = places("win32", APPDATA=str(tmp_path / "roaming"), LOCALAPPDATA=str(tmp_path / "local"))[0]
    assert packaged == (package / "Claude" / "claude_desktop_config.json").relative_to(tmp_path).as_posix()


KEYS = st.text(max_size=8) | st.sampled_from(["mcpServers", "servers", "inputs", "jobtrail", "command", "env", "id"])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=12
)
ENTRIES = st.dictionaries(KEYS.filter(lambda key: key != "jobtrail"), VALUES, max_size=3)


@st.composite
def configurations(draw: st.DrawFn) -> tuple[dict[str, Any], bytes]:
    """A JSON object as somebody may have written it, servers or not."""
    value = draw(st.dictionaries(KEYS.filter(lambda key: key not in {"mcpServers", "servers", "inputs"}), VALUES))
    if draw(st.booleans()):
        value["mcpServers"] = draw(ENTRIES)
    if draw(st.booleans()):
        value["servers"] = draw(ENTRIES)
    if draw(st.booleans()):
        value["inputs"] = draw(st.lists(VALUES, max_size=2))
    keys = draw(st.permutations(list(value)))
    value = {key: value[key] for key in keys}
    indent = draw(st.sampled_from([None, 0, 1, 2, 4, "\t"]))
    separators = draw(st.sampled_from([None, (",", ":"), (" , ", " : ")]))
    text = json.dumps(value, indent=indent, separators=separators, ensure_ascii=draw(st.booleans()))
    text = draw(st.sampled_from(["", "\ufeff", "\n", "  "])) + text + draw(st.sampled_from(["", "\n", "\r\n\r\n"]))
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    return value, text.replace("\r\n", "\n").replace("\n", newline).encode("utf-8", "surrogatepass")


def installation_in(place: tuple[str, Scope], env: dict[str, str]) -> Installation:
    return Installation(CLIENTS[place[0]], place[1], env=env, variables=ENVIRONMENT)


ORDERS = st.builds(
    installation_in,
    st.sampled_from(PLACES),
    st.dictionaries(st.sampled_from(["BL_API_KEY", "BL_WORKSPACE", "MY_OWN"]), st.text(min_size=1, max_size=5)),
)
MANY = settings(max_examples=scale_examples(150), suppress_health_check=[HealthCheck.function_scoped_fixture])


@MANY
@given(found=configurations(), wish=ORDERS)
def test_any_configuration_keeps_all_it_holds_when_an_entry_comes_and_goes_and_its_backup_stays(
    tmp_path_factory: pytest.TempPathFactory, found: tuple[dict[str, Any], bytes], wish: Installation
) -> None:
    value, data = found
    here = machine(tmp_path_factory.mktemp("any"))
    path = find_config_path(wish.client, wish.scope, here)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    try:
        done = install(wish, here, COMMAND)
    except SettingsError:
        # A lone surrogate is no UTF-8; whatever is refused is untouched.
        assert path.read_bytes() == data
        assert backups(path) == []
        return
    now = json.loads(path.read_bytes().decode("utf-8-sig"))
    assert now[wish.client.servers_key].pop("jobtrail")["command"] == COMMAND.program
    expected = {**value, wish.client.servers_key: value.get(wish.client.servers_key, {})}
    assert (now, [*now]) == (expected, [*expected])
    assert done.backup is not None
    assert done.backup.read_bytes() == data
    assert not install(wish, here, COMMAND).changed
    uninstall(wish, here)
    assert json.loads(path.read_bytes().decode("utf-8-sig")) == expected
    assert done.backup.read_bytes() == data


@MANY
@given(found=configurations(), wish=ORDERS, later=VALUES)
def test_undoing_in_a_file_that_has_changed_since_takes_out_what_was_put_in_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, found: tuple[dict[str, Any], bytes], wish: Installation, later: Any
) -> None:
    value, data = found
    here = machine(tmp_path_factory.mktemp("later"))
    path = find_config_path(wish.client, wish.scope, here)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    try:
        install(wish, here, COMMAND)
    except SettingsError:
        return
    now = json.loads(path.read_bytes().decode("utf-8-sig"))
    now["later"] = now[wish.client.servers_key]["later"] = later
    path.write_text(json.dumps(now, indent=3), encoding="utf-8", errors="surrogatepass")
    uninstall(wish, here)
    root = {**value.get(wish.client.servers_key, {}), "later": later}
    assert json.loads(path.read_bytes()) == {**value, wish.client.servers_key: root, "later": later}


COMMENTED = """\
{
  // what I use
  "servers": {
    "other": { "command": "npx", /* pinned */ "args": ["other@1"], }, // keep
    // more to come
  },
  "inputs": [], // none yet
}
"""


@pytest.mark.parametrize("client", ["vscode", "cursor"])
def test_comments_and_trailing_commas_stay_where_the_client_allows_them(tmp_path: Path, client: str) -> None:
    here = machine(tmp_path)
    root = CLIENTS[client].servers_key
    path = find_config_path(CLIENTS[client], "project", here)
    path.parent.mkdir()
    before = COMMENTED.replace('"servers"', f'"{root}"')
    path.write_text(before, encoding="utf-8")
    install(installation(client, "project", BL_API_KEY=None), here, COMMAND)
    text = path.read_text(encoding="utf-8")
    for comment in ("// what I use", "/* pinned */", "}, // keep\n", "// more to come", "// none yet"):
        assert comment in text
    assert [*written(path)[root]] == ["other", "jobtrail"]
    # Somebody edits it, which undoing keeps.
    path.write_text(text.replace("// what I use", "// what we use"), encoding="utf-8")
    uninstall(installation(client, "project"), here)
    assert path.read_text(encoding="utf-8") == before.replace("what I use", "what we use")


@dataclass
class Scribbler:
    """Writes JSON with comments and blanks wherever they may stand, each comment with a number of its own."""

    draw: st.DrawFn
    comments: list[str] = field(default_factory=list[str])

    def gap(self) -> str:
        kind = self.draw(st.integers(0, 9))
        if kind > 1:
            return ["", "", "", "", " ", "\n", "\n  ", "\t"][kind - 2]
        self.comments.append(f"note {len(self.comments)}, {{not}} [json]:")
        return f"//{self.comments[-1]}\n" if kind else f"/*{self.comments[-1]}*/"

    def write(self, value: Any) -> str:
        if isinstance(value, dict):
            members = cast("dict[str, Any]", value)
            parts = [f"{json.dumps(key)}{self.gap()}:{self.gap()}{self.write(one)}" for key, one in members.items()]
            return self.enclosed("{", parts, "}")
        if isinstance(value, list):
            items = cast("list[Any]", value)
            return self.enclosed("[", [self.write(one) for one in items], "]")
        return json.dumps(value)

    def enclosed(self, start: str, parts: list[str], end: str) -> str:
        inner = ",".join(f"{self.gap()}{part}{self.gap()}" for part in parts)
        trailing = "," if parts and self.draw(st.booleans()) else ""
        return f"{start}{inner}{trailing}{self.gap()}{end}"


@st.composite
def scribbled(draw: st.DrawFn) -> tuple[dict[str, Any], str, list[str]]:
    value, _ = draw(configurations())
    pen = Scribbler(draw)
    text = pen.gap() + pen.write(value) + pen.gap()
    return value, text, pen.comments


@MANY
@given(scribbled(), st.sampled_from(["cursor", "vscode"]))
def test_no_comment_is_lost_wherever_it_stands_when_an_entry_comes_and_goes(
    found: tuple[dict[str, Any], str, list[str]], name: str
) -> None:
    value, text, comments = found
    client = CLIENTS[name]
    entry = build_entry(Installation(client, "project", env={"BL_API_KEY": None}, variables=ENVIRONMENT), COMMAND)
    there = put_entry(text, client, entry)
    assert sorted(re.findall(r"note [0-9]+, \{not\} \[json\]:", there)) == sorted(comments)
    gone = remove_entry(there, client, "jobtrail")
    assert sorted(re.findall(r"note [0-9]+, \{not\} \[json\]:", gone)) == sorted(comments)
    assert parse_jsonc(gone).value == {
        **({"inputs": []} if client.inputs else {}),
        **value,
        client.servers_key: value.get(client.servers_key, {}),
    }


def test_vs_code_asks_for_a_secret_and_the_file_has_only_the_question(tmp_path: Path) -> None:
    here = machine(tmp_path, BL_API_KEY=SECRET)
    done = install(installation("vscode", "project", BL_API_KEY=None, BL_WORKSPACE="acme"), here, COMMAND)
    found = written(done.path)
    assert found["servers"]["jobtrail"]["env"] == {
        "BL_API_KEY": "${input:jobtrail-BL_API_KEY}", "BL_WORKSPACE": "acme",
    }  # fmt: skip
    assert found["inputs"] == [
        {"type": "promptString", "id": "jobtrail-BL_API_KEY", "description": "Blaxel API key", "password": True}
    ]
    assert SECRET not in done.path.read_text(encoding="utf-8")
    assert done.notes == ("VS Code asks for BL_API_KEY once and keeps it",)


@pytest.mark.parametrize(("client", "spelt"), [("claude-code", "${BL_API_KEY}"), ("cursor", "${env:BL_API_KEY}")])
def test_a_variable_without_a_value_is_a_reference_in_the_client_s_own_spelling(
    tmp_path: Path, client: str, spelt: str
) -> None:
    done = install(installation(client, "project", BL_API_KEY=None), machine(tmp_path, BL_API_KEY=SECRET), COMMAND)
    assert written(done.path)["mcpServers"]["jobtrail"]["env"] == {"BL_API_KEY": spelt}
    assert "from the environment it is started in" in done.notes[0]


def test_claude_code_hands_its_environment_on_to_a_server_of_the_user_and_no_reference_hides_it(
    tmp_path: Path,
) -> None:
    done = install(
        installation("claude-code", BL_API_KEY=None, BL_WORKSPACE="acme"),
        machine(tmp_path, BL_API_KEY=SECRET),
        COMMAND,
    )
    assert written(done.path)["mcpServers"]["jobtrail"]["env"] == {"BL_WORKSPACE": "acme"}
    assert done.notes == ("BL_API_KEY is not in the file: Claude Code hands on the environment it is started in",)


def test_claude_desktop_looks_nothing_up_so_that_a_bare_variable_is_refused_with_what_to_do(tmp_path: Path) -> None:
    here = machine(tmp_path, BL_API_KEY=SECRET)
    with pytest.raises(SettingsError, match=r"does not look variables up.*config\.toml.*--env BL_API_KEY=VALUE"):
        install(installation("claude-desktop", BL_API_KEY=None), here, COMMAND)
    assert not find_config_path(CLIENTS["claude-desktop"], "user", here).exists()
    done = install(installation("claude-desktop", BL_API_KEY=SECRET), here, COMMAND)
    assert done.notes == ("BL_API_KEY now stands there in plain text",)
    if os.name == "posix":
        assert stat.S_IMODE(done.path.stat().st_mode) == 0o600


def test_a_misspelt_variable_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="reads no such variable; closest: BL_API_KEY"):
        install(installation("cursor", BL_APIKEY=None), machine(tmp_path), COMMAND)


def test_what_somebody_else_has_written_meanwhile_is_not_written_over(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    path.write_text("{}", encoding="utf-8")
    was = read_config(path)
    path.write_text('{"mine": 1}', encoding="utf-8")
    with pytest.raises(SettingsError, match="was changed by somebody else just now; run this again"):
        write_config(was, b"{}")
    assert path.read_text(encoding="utf-8") == '{"mine": 1}'
    assert [*tmp_path.iterdir()] == [path]


def test_every_backup_is_kept_and_the_newest_sorts_last(tmp_path: Path) -> None:
    path = tmp_path / "mcp.json"
    for text in ("1", "2", "3"):
        path.write_text(text, encoding="utf-8")
        back_up(read_config(path))
    assert [one.read_text(encoding="utf-8") for one in backups(path)] == ["1", "2", "3"]


@pytest.mark.parametrize("inputs", ["{}", "null", "1", '"x"'])
def test_questions_of_vs_code_that_are_no_array_are_left_alone(tmp_path: Path, inputs: str) -> None:
    here, path = prepared(tmp_path, "vscode", f'{{"inputs": {inputs}}}')
    with pytest.raises(SettingsError, match="its 'inputs' is no array"):
        install(installation("vscode", BL_API_KEY=None), here, COMMAND)
    assert path.read_text(encoding="utf-8") == f'{{"inputs": {inputs}}}'
    assert install(installation("vscode"), here, COMMAND).changed


def prepared(tmp_path: Path, client: str, text: str | bytes) -> tuple[Machine, Path]:
    here = machine(tmp_path)
    path = find_config_path(CLIENTS[client], "user", here)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return here, path


@pytest.mark.parametrize(
    ("client", "text", "why"),
    [
        ("cursor", '{"mcpServers": {', "line 1, column 17: it ends early"),
        ("cursor", '{"a": 1 "b": 2}', "line 1, column 9: a comma is missing"),
        ("cursor", "{'a': 1}", "a key in double quotes is missing"),
        ("cursor", '{"a": nope}', "no JSON value"),
        ("cursor", "[]", "it is no JSON object"),
        ("cursor", '{"mcpServers": []}', "its 'mcpServers' is no object"),
        ("cursor", '{"mcpServers": {}, "mcpServers": {}}', "it has 'mcpServers' twice"),
        ("cursor", "{} {}", "more after its end"),
        ("cursor", "[" * 500, "nested too deeply"),
        ("claude-desktop", '{ // mine\n "mcpServers": {}}', "which Claude Desktop does not read"),
        ("claude-code", '{"mcpServers": {},}', "which Claude Code does not read"),
        ("cursor", b'{"a": "\xff"}', "is not UTF-8 text"),
    ],
)
def test_a_file_that_cannot_be_edited_is_left_as_it_is_and_the_refusal_says_what_to_paste(
    tmp_path: Path, client: str, text: str | bytes, why: str
) -> None:
    here, path = prepared(tmp_path, client, text)
    with pytest.raises(SettingsError) as refusal:
        install(installation(client), here, COMMAND)
    assert why in str(refusal.value)
    assert "UTF-8" in why or '"command": "/opt/jobtrail/bin/jobtrail"' in str(refusal.value)
    assert path.read_bytes() == (text if isinstance(text, bytes) else text.encode())
    assert [*path.parent.iterdir()] == [path] if client != "claude-code" else backups(path) == []


def test_another_server_of_that_name_is_not_replaced_unless_forced(tmp_path: Path) -> None:
    before = json.dumps({"mcpServers": {"jobtrail": OTHER, "x": OTHER}}, indent=2)
    here, path = prepared(tmp_path, "cursor", before)
    with pytest.raises(SettingsError, match="another server named 'jobtrail'; give another --name, or --force"):
        install(installation("cursor"), here, COMMAND)
    with pytest.raises(SettingsError, match="is another server; it was left as it is"):
        uninstall(installation("cursor"), here)
    install(installation("cursor", force=True), here, COMMAND)
    assert written(path)["mcpServers"]["jobtrail"]["command"] == COMMAND.program
    uninstall(installation("cursor"), here)
    assert written(path) == {"mcpServers": {"x": OTHER}}
    assert backups(path)[0].read_text(encoding="utf-8") == before


def test_a_folder_named_jobtrail_makes_no_server_ours(tmp_path: Path) -> None:
    files = {"command": "npx", "args": ["server-filesystem", "/home/me/jobtrail"]}
    here, _ = prepared(tmp_path, "cursor", json.dumps({"mcpServers": {"jobtrail": files}}))
    with pytest.raises(SettingsError, match="another server"):
        install(installation("cursor"), here, COMMAND)


def test_our_own_entry_is_brought_up_to_date_and_keeps_what_else_it_holds(tmp_path: Path) -> None:
    text = """{"mcpServers": {"jobtrail": {
        // moved once
        "command": "/old/jobtrail", "args": ["serve"], "disabled": false, "env": {"BL_WORKSPACE": "acme"}}}}"""
    here, path = prepared(tmp_path, "cursor", text)
    install(installation("cursor", BL_API_KEY=None), here, COMMAND)
    assert "// moved once" in path.read_text(encoding="utf-8")
    assert written(path)["mcpServers"]["jobtrail"] == {
        "command": COMMAND.program,
        "args": ["serve"],
        "disabled": False,
        "env": {"BL_WORKSPACE": "acme", "BL_API_KEY": "${env:BL_API_KEY}"},
        "type": "stdio",
    }


def test_installing_twice_differently_and_undoing_ends_where_it_began(tmp_path: Path) -> None:
    before = json.dumps({"mcpServers": {"x": OTHER}}, indent=4)
    here, path = prepared(tmp_path, "cursor", before)
    install(installation("cursor"), here, COMMAND)
    install(installation("cursor", BL_API_KEY=None), here, COMMAND)
    uninstall(installation("cursor"), here)
    assert path.read_text(encoding="utf-8") == before


@pytest.mark.skipif(os.name != "posix", reason="permissions and symbolic links are POSIX's")
def test_permissions_and_symbolic_links_stay(tmp_path: Path) -> None:
    here, path = prepared(tmp_path, "cursor", "{}")
    real = tmp_path / "dotfiles.json"
    path.rename(real)
    path.symlink_to(real)
    real.chmod(0o640)
    done = install(installation("cursor"), here, COMMAND)
    assert path.is_symlink()
    assert done.backup is not None
    assert done.backup.parent == real.parent
    assert [stat.S_IMODE(one.stat().st_mode) for one in (real, done.backup)] == [0o640, 0o640]
    uninstall(installation("cursor"), here)
    assert (path.is_symlink(), written(real)) == (True, {"mcpServers": {}})
    assert stat.S_IMODE(real.stat().st_mode) == 0o640


def test_undoing_where_nothing_was_installed_says_so(tmp_path: Path) -> None:
    here = machine(tmp_path)
    nothing = ("it has no 'jobtrail', so there is nothing to undo",)
    assert uninstall(installation("cursor"), here).notes == nothing
    here, path = prepared(tmp_path, "cursor", '{"mcpServers": {}}')
    assert uninstall(installation("cursor"), here).notes == nothing
    assert path.read_text(encoding="utf-8") == '{"mcpServers": {}}'


def test_the_command_is_absolute_and_as_it_was_called(tmp_path: Path) -> None:
    script = tmp_path / "bin" / "jobtrail"
    script.parent.mkdir()
    script.write_text("#!/bin/sh\n", encoding="utf-8")
    script.chmod(0o755)
    python = str(script.with_name("python"))
    assert find_start_command(str(script), python, {}) == StartCommand(str(script), ("serve",))
    assert find_start_command("/x/jobtrail/__main__.py", python, {}) == StartCommand(str(script), ("serve",))
    script.unlink()
    assert find_start_command("jobtrail", python, {}) == StartCommand(python, ("-m", "jobtrail", "serve"))


def test_what_uvx_runs_is_named_by_uvx_since_its_cache_may_be_emptied(tmp_path: Path) -> None:
    uvx = tmp_path / "uvx"
    uvx.write_text("#!/bin/sh\n", encoding="utf-8")
    uvx.chmod(0o755)
    python = str(tmp_path / "cache" / "uv" / "archive-v0" / "abc" / "bin" / "python")
    found = find_start_command("jobtrail", python, {"UV": str(tmp_path / "uv")})
    assert (found.program, found.args[-2:]) == (str(uvx), ("jobtrail", "serve"))
    assert find_start_command("jobtrail", python, {"PATH": ""}).program == python


def files(home: Path) -> Mapping[str, bytes]:
    return {str(one): one.read_bytes() for one in home.rglob("*") if one.is_file()}


def test_the_command_line_installs_says_what_is_next_and_undoes(no_settings: Path) -> None:
    ended = run_process("install", "claude-desktop", XDG_CONFIG_HOME=str(no_settings / "config"))
    path = no_settings / "config" / "Claude" / "claude_desktop_config.json"
    assert (ended.code, ended.err) == (0, "")
    first, *_, last = ended.out.splitlines()
    assert first == f"Claude Desktop: written to {path}"
    assert last.startswith("next: quit Claude Desktop and start it again")
    entry = written(path)["mcpServers"]["jobtrail"]
    assert Path(entry["command"]).is_absolute()
    assert Path(entry["command"]).exists()
    again = run_process("install", "claude-desktop", XDG_CONFIG_HOME=str(no_settings / "config"))
    assert "nothing was changed" in again.out
    ended = run_process("install", "claude-desktop", "--undo", XDG_CONFIG_HOME=str(no_settings / "config"))
    assert (ended.code, ended.out.splitlines()[0]) == (0, f"Claude Desktop: taken out of {path}")
    assert written(path) == {"mcpServers": {}}


def test_print_shows_what_can_be_pasted_and_writes_nothing(no_settings: Path) -> None:
    ended = run_command("install", "vscode", "--print", "--env", "BL_API_KEY", BL_API_KEY=SECRET)
    assert ended.code == 0
    found = json.loads(ended.out)
    assert found["servers"]["jobtrail"]["env"] == {"BL_API_KEY": "${input:jobtrail-BL_API_KEY}"}
    assert SECRET not in ended.out + ended.err
    assert files(no_settings) == {}


def test_what_does_not_go_together_is_refused(no_settings: Path) -> None:
    assert "has no configuration of a folder" in read_refusal(
        run_command("install", "claude-desktop", "--scope", "project")
    )
    assert read_refusal(run_command("install", "cursor", "--undo", "--print")).startswith("--undo goes with")
    ended = run_command("install", "cursor", "--env", f"1{SECRET}")
    assert (ended.code, SECRET in ended.err) == (2, False)
    ended = run_command("install", "curser")
    assert (ended.code, "did you mean cursor?" in ended.err) == (2, True)
    assert files(no_settings) == {}


@pytest.mark.parametrize(
    "text", ['{"a": "\\ud800"}', '{"a": 1e999}', '{"a": "/* no comment */ // none"}', '{"": {}}']
)
def test_odd_json_is_read_as_python_reads_it(text: str) -> None:
    node = parse_jsonc(text)
    assert (node.value, node.loose) == (json.loads(text), False)


@given(st.text(alphabet='{}[]":,/*\\ \nab1', max_size=30))
@settings(max_examples=scale_examples(500))
def test_what_is_strict_json_is_read_the_same_and_what_is_not_is_refused_or_loose(text: str) -> None:
    try:
        strict = json.loads(text)
    except ValueError:
        strict = Ellipsis
    try:
        node = parse_jsonc(text)
    except JsoncError:
        node = None
    if node is None or node.loose:
        assert strict is Ellipsis
    else:
        assert node.value == strict


def test_every_client_can_be_named_on_the_command_line() -> None:
    ended = run_command("install", "--help")
    assert ", ".join(CLIENTS) in ended.out
