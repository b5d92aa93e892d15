"""Secrets are found by words of names, by known forms and by the look of values; what resembles one stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobtrail.masking import Mask, is_secret, is_secret_name, mask_pair, mask_text
from jobtrail.masking.names import looks_random

PLAIN = Mask({})
RANDOM = "Xk29vQm7LpZ4tWc8RbYs"


@pytest.mark.parametrize(
    "name",
    [
        "PASSWORD", "PGPASSWORD", "MYSQL_PWD", "DB_PW", "DB_PASS", "SSHPASS", "DB_CREDS", "CRED", "JWT",
        "SESSION_JWT", "API_KEYS", "SIGNING_KEYS", "MASTERKEY", "MasterKey", "apiKey", "APIKEY", "APIKEYS",
        "x-api-key", "GITHUB_PAT", "AUTH", "NPM_CONFIG__AUTH", "GITHUB_TOKEN", "AUTHTOKEN", "client_secret",
        "VAULT_SECRET_ID", "SLACK_WEBHOOK_URL", "WEBHOOK", "SENTRY_DSN", "AZURE_STORAGE_CONNECTION_STRING",
        "CONN_STR", "COOKIE", "TLS_PRIVATE", "PASSWORD_2", "dbPassword2", "BL_CLIENT_CREDENTIALS",
        "AWS_SECRET_ACCESS_KEY", "RUNWISP_PASSWORD", "APP_PASSCODE", "PG_PASSWORD_PROD_SERVER", "DB_PASS_MAIN_HOST",
    ],
)  # fmt: skip
def test_a_name_with_a_word_for_secrets_says_so(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "AUTHOR", "AUTHORS", "COMPASS_MODE", "COMPASS", "TOKENIZERS_PARALLELISM", "TOKENIZER", "KEYBOARD", "MONKEY",
        "BYPASS_CACHE", "PASSENGERS", "PWD", "OLDPWD", "SSH_AUTH_SOCK", "XAUTHORITY", "SSH_AGENT_PID", "AUTH_MODE",
        "TOKEN_URL", "TOKEN_FILE", "SECRETARY", "COOKIECUTTER_HOME", "PRIVATE_REGISTRY", "PUBLIC_KEY",
        "PARTITION_KEY", "PASSWORD_SERVER", "TOKEN_MAIN_SERVER", "PASSCODES_FILE",
        "KeyError", "LOG_LEVEL", "GIT_AUTHOR_NAME", "PATH", "", "é",
    ],
)  # fmt: skip
def test_a_name_that_only_contains_such_letters_says_nothing(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("MAX_TOKENS", "128000", False), ("TOKEN", "/run/secrets/token", False), ("REQUIRE_AUTH", "disabled", False),
        ("AUTH", "https://login.example.com", False), ("DB_PASSWORD", "12345678", True),
        ("API_KEY", "changemeplease", True),
        ("API_KEY", "/9j4AAQSkZJRgABAQ4f7G", True), ("WEBHOOK", "https://example.com/in/7f3a", True),
        ("AUTHOR", "production", False),
    ],
)  # fmt: skip
def test_a_value_that_is_plainly_a_setting_is_none_but_a_password_may_be_anything(
    name: str, value: str, *, secret: bool
) -> None:
    assert is_secret(name, value) is secret


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("postgres://u:p@ss/w:rd@h/db", "postgres://u:***@h/db"),
        ("postgres://u:pa://ss@h/db", "postgres://u:***@h/db"),
        (f"postgres://u:{'token' * 300}@h/db", "postgres://u:***@h/db"),
        ("http://h:80/?next=pg://u:pw@i", "http://h:80/?next=pg://u:***@i"),
        ("redis://:pw@h:6379/0 up", "redis://:***@h:6379/0 up"),
        ("a postgres://me@corp:pw@h,redis://u:qw@i", "a postgres://me@corp:***@h,redis://u:***@i"),
        ('{"url":"amqp://u:pw@h","to":"a@b.com"}', '{"url":"amqp://u:***@h","to":"a@b.com"}'),
        (f"https://{RANDOM}@github.com/a", "https://***@github.com/a"),
        ("app:pw@tcp(db:3306)/x", "app:***@tcp(db:3306)/x"),
        ("GET https://h/?a=1&token=pw&b=2", "GET https://h/?a=1&token=***&b=2"),
        ("https://h/x?X-Amz-Signature=ab12&sig=cd", "https://h/x?X-Amz-Signature=***&sig=***"),
        ("mount //u:pw@h/share up", "mount //u:***@h/share up"),
        ("a:http://u:pw@h", "a:http://u:***@h"),
        ("API_TOKEN+=pw API_KEY?=abc", "API_TOKEN+=*** API_KEY?=***"),
        ("<password>pw</password><user>u</user>", "<password>***</password><user>u</user>"),
        ('<db:password xml:lang="en">p w</db:password>', '<db:password xml:lang="en">***</db:password>'),
        ("curl -u bob:pw https://h", "curl -u bob:*** https://h"),
        ("curl --proxy-user=bob:pw 'https://h'", "curl --proxy-user=bob:*** 'https://h'"),
        ("host=h user=u password=pw dbname=d", "host=h user=u password=*** dbname=d"),
        ("Server=h;User=u;Pwd=pw1;Timeout=3", "Server=h;User=u;Pwd=***;Timeout=3"),
        ('{"apiKey": "abc", "n": 1}', '{"apiKey": "***", "n": 1}'),
        ('"{\\"client_secret\\": \\"abc\\"}"', '"{\\"client_secret\\": \\"***\\"}"'),
        ("password: hunter2!", "password: ***"),
        ("running psql --password hunter2 -h db", "running psql --password *** -h db"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("authorization=Basic dTpw", "authorization=Basic ***"),
        ("sent Bearer abcdef123456", "sent Bearer ***"),
        ("Cookie: a=b; c=d", "Cookie: ***"),
        ("X-Api-Key: a1b2c3d4", "X-Api-Key: ***"),
        ("https://hooks.slack.com/services/T0/B0/xyz", "https://hooks.slack.com/services/***"),
        (f"https://example.com/api/webhooks/{RANDOM}", "https://example.com/api/webhooks/***"),
        ("as ghp_0123456789abcdefghij now", "as *** now"),
        ("key AKIAIOSFODNN7EXAMPLE", "key ***"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl", "***"),
        ("-----BEGIN RSA PRIVATE KEY-----", "***"),
    ],
)  # fmt: skip
def test_a_text_is_without_the_secrets_it_shows_by_itself(text: str, masked: str) -> None:
    assert mask_text(text) == masked
    assert mask_text(masked) == masked


@pytest.mark.parametrize(
    "token",
    [
        "gho_", "github_pat_", "glpat-", "xoxb-", "xapp-", "AKIA", "AIza", "ya29.", "GOCSPX-", "sk-", "sk_live_",
        "whsec_", "npm_", "pypi-AgE", "hf_", "dop_v1_", "dckr_pat_", "SG.{0}.", "shpat_", "glsa_", "hvs.",
        "AGE-SECRET-KEY-1", "bot1234567:", "dapi", "key-", "rubygems_",
    ],
)  # fmt: skip
def test_a_token_is_known_by_its_prefix(token: str) -> None:
    rest = "0123456789ABCDEF" if token == "AKIA" else "0123456789" * 6 + "0123"
    rest = {"AIza": rest[:35], "npm_": rest[:36], "shpat_": rest[:32]}.get(token, rest)
    assert mask_text(f"as {token.format(rest)}{rest}, so") == "as ***, so"


@pytest.mark.parametrize(
    "text",
    [
        "invalid token: expected a name",
        "KeyError: 'user_id2'",
        "max_tokens=4096 key=users/42 auth=ok pass=12 fail=1",
        "duplicate entry for key: users.email",
        "if token == 'abc'",
        "listening on http://0.0.0.0:8080/health for me@example.com",
        "http://host:8080/users/me@example.com",
        "ssh://git@host:22/repo@v1",
        "commit 4b825dc642cb6eb9a060e54bf8d69288fbee4904",
        "run 550e8400-e29b-41d4-a716-446655440000 at 2026-11-29T10:11:12Z",
        "image registry.internal/etl@sha256:" + "a" * 64,
        "basic authentication failed",
        "docker run -u 1000:1000 -v a:b, cp -u host:/a b",
        "<name>etl</name> <key>etl</key> key-value rubygems_mirror",
        "// a comment: see me@example.com",
        "monkey=business author=production",
        "see https://docs.example.com/webhooks/overview",
        "pods global-notifications-service-worker, sk-something-with-a-name and pypi-publish-from-the-main-branch",
    ],
)
def test_a_text_that_only_resembles_a_secret_stays(text: str) -> None:
    assert mask_text(text) == text


@pytest.mark.parametrize(
    ("command", "masked"),
    [
        ("psql postgres://u:PW@h", "psql postgres://u:***@h"),
        ("env API_TOKEN=1 cmd", "env API_TOKEN=*** cmd"),
        ("curl https://h/?token=PW", "curl https://h/?token=***"),
        ("redis-cli auth pw12", "redis-cli auth ***"),
        ("redis-cli auth default pw1234", "redis-cli auth default ***"),
        ("mount //u:pw@h/share", "mount //u:***@h/share"),
        ("env API_TOKEN+=1 DB_PW?=a", "env API_TOKEN+=*** DB_PW?=***"),
        ("echo <password>a</password>", "echo <password>***</password>"),
        ("set password swordfish", "set password ***"),
        ("scp me:pw@h:/x .", "scp me:***@h:/x ."),
        (f"login {RANDOM}", "login ***"),
        ("login 0123456789abcdef0123456789abcdef", "login ***"),
        ("env DB_PW=a&b,c;d cmd", "env DB_PW=*** cmd"),
        ("make auth tests", "make auth tests"),
        ("make auth tests v2", "make auth tests v2"),
        ("git clone git@host:a/b", "git clone git@host:a/b"),
        ("env AUTHOR=production COMPASS_MODE=fast cmd", "env AUTHOR=production COMPASS_MODE=fast cmd"),
    ],
)
def test_the_words_of_a_command_are_without_secrets(command: str, masked: str) -> None:
    assert PLAIN.mask_words(command.split()) == masked.split()


@pytest.mark.parametrize(
    ("name", "value", "hidden", "shown"),
    [
        ("API_KEYS", "abc123def, swordfish;zyx987", ["abc123def", "swordfish", "zyx987"], []),
        ("API_KEYS", "['abc1234', 'swordfish']", ["abc1234", "swordfish"], []),
        ("API_KEYS", "abc1234 def5678", ["abc1234", "def5678"], []),
        ("USERS_CREDS", "alice:wonder1,bob:build3r", ["wonder1", "build3r"], ["alice", "bob"]),
        ("CREDENTIALS", '{"type": "service_account", "private_key": "line-one\\nline-two"}',
         ["line-one", "line-two", "line-one\\nline-two"], ["service_account"]),
        ("TOKENS_JWT", '["first-one", {"x": "second-one"}]', ["first-one", "second-one"], []),
        ("PASSPHRASE", "correct horse battery staple", ["correct horse battery staple"], ["battery"]),
        ("DATABASE_URL", "postgres://u:p@ss/word@h/db", ["p@ss/word"], ["postgres"]),
        ("DB_PASSWORD", "p@ss/word", ["p@ss/word", "p%40ss%2Fword"], []),
        ("DB_PASSWORD", "p@ss/wörd", ["p%40ss%2fw%c3%b6rd", "p@ss\\/w\\u00f6rd", "p&#64;ss/wörd"], []),
        ("DB_PASSWORD", "two words&x", ["two+words%26x", "two%20words&x", "two words&amp;x", "two\\ words\\&x"], []),
        ("DB_PASSWORD", "it's $5", ["it'\\''s $5", "it'\"'\"'s $5", "it\\'s \\$5", "it&#x27;s $5"], []),
        ("DB_PASSWORD", 'a"b<c>\\d', ['a\\"b<c>\\\\d', "a&quot;b&lt;c&gt;\\d"], []),
        ("PG_PASSWORD_PROD_SERVER", "swordfish", ["swordfish"], []),
        ("SMTP_LOGIN", "bob:swordfish", ["swordfish"], []),
        ("SMTP_LOGIN", "smtp.example.com:587", [], ["smtp.example.com"]),
        ("CURL_OPTS", "-s -u bob:swordfish", ["swordfish"], []),
        ("DATABASE_URL", "postgres://u:p%40ssword@h/db", ["p%40ssword", "p@ssword"], []),
        ("PG_OPTIONS", "host=h password=hunter22", ["hunter22"], ["host"]),
        ("WHATEVER", RANDOM, [RANDOM], []),
        ("AUTHOR", "production", [], ["production"]),
        ("COMPASS_MODE", "production", [], ["production"]),
        ("TOKENIZERS_PARALLELISM", "sometimes", [], ["sometimes"]),
        ("DB_PASSWORD", "short", [], ["short"]),
    ],
)  # fmt: skip
def test_a_secret_of_the_environment_is_masked_by_itself_and_by_its_parts(
    name: str, value: str, hidden: list[str], shown: list[str]
) -> None:
    mask = Mask({name: value})
    assert [mask(f"<{one}>") for one in hidden] == ["<***>"] * len(hidden)
    assert [mask(f"<{one}>") for one in shown] == [f"<{one}>" for one in shown]


def test_a_name_without_a_secret_is_still_a_name() -> None:
    assert Mask({"A_TOKEN": "abc-123-def"}).mask_name("run-abc-123-def") == "run-masked"


def test_a_label_whose_key_says_so_is_masked_as_a_whole_and_a_secret_key_too() -> None:
    mask = Mask({"A_TOKEN": "abc-123-def"})
    assert mask.mask_pair("abc-123-def", "x") == ("***", "x")
    assert mask.mask_pair("api_token", "some words") == ("api_token", "***")
    assert mask_pair("team", "data") == "data"
    assert mask_pair("key", "nightly") == "nightly"
    assert mask_pair("url", "amqp://u:pw@h") == "amqp://u:***@h"


@pytest.mark.parametrize(("value", "random"), [
    (RANDOM, True), ("GitHub-Actions-1001234567", False), ("ThisIsACamelCaseNameOf2026", False),
    ("4b825dc642cb6eb9a060e54bf8d69288fbee4904", False), ("20261129T101010Z", False),
    ("x86_64-Linux-6.1.0-debian", False),
])  # fmt: skip
def test_only_a_value_in_disorder_looks_random(value: str, *, random: bool) -> None:
    assert looks_random(value) is random


@given(st.text(st.characters(exclude_characters="\"'", categories=["L", "N", "P", "S"]), min_size=1, max_size=20))
def test_no_password_in_an_address_survives_whatever_is_in_it(password: str) -> None:
    assert PLAIN(f"db postgres://user:\u2460{password}@host/db").endswith("@host/db")
    assert f"\u2460{password}" not in PLAIN(f"db postgres://user:\u2460{password}@host/db")
