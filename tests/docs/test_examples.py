"""Every script in examples/, run as a user would run it."""

from __future__ import annotations

import ast
import inspect
import io
import json
import os
import re
import runpy
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
import uvicorn
from accounts import ENTRA, PRELUDE, PROJECT, UUID, WSO2, account
from app_answers import (
    CONSUMED,
    ask,
    check_aiohttp_app,
    check_django_app,
    check_drf_app,
    check_fastapi_app,
    check_grpc_server,
    check_litestar_app,
    check_starlette_app,
    check_two_providers_app,
    is_ready,
    queue_of,
    refusal,
)
from child_processes import child

from jwks_client.testing import FakeProvider

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SCRIPTS = {path.stem: path for path in sorted(EXAMPLES.glob("*.py"))}
PATIENCE = 30.0  # real seconds after which a working example has long ended


class Outcome(NamedTuple):
    """The outcome of a run of a script."""

    status: int
    out: str
    err: str


@pytest.fixture
def run(monkeypatch, capsys) -> Callable[..., Outcome]:
    """Run a script as ``python examples/{name}.py {arguments}`` does, in this process."""

    def run(name: str, *arguments: str, stdin: str = "", env: dict[str, str] | None = None):
        path = SCRIPTS[name]
        with monkeypatch.context() as patch:
            for setting in settings_of(path):
                patch.delenv(setting, raising=False)
            for setting, value in (env or {}).items():
                patch.setenv(setting, value)
            patch.setattr(sys, "argv", [str(path), *arguments])
            patch.setattr(sys, "stdin", io.StringIO(stdin))
            with pytest.raises(SystemExit) as ended:
                runpy.run_path(str(path), run_name="__main__")
        return Outcome(ended.value.code, *capsys.readouterr())

    return run


def run_apart(name: str, *arguments: str, stdin: str, env: dict[str, str]) -> Outcome:
    """Run a script in a separate process, over real loopback."""
    ended = subprocess.run(
        [sys.executable, str(SCRIPTS[name]), *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        env={**os.environ, **env},
        timeout=PATIENCE,
        check=False,
    )
    return Outcome(ended.returncode, ended.stdout, ended.stderr)


def settings_of(path: Path) -> set[str]:
    """Return the environment variables that a script reads."""
    return {
        call.args[0].value
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "os.environ.get"
    }


@dataclass(frozen=True, kw_only=True)
class Case:
    """A script for tokens of one documented provider.

    Arguments:
        kinds: the accounts that are on the internet; the first one's token is verified.
        env: the script's settings.
        says: what it prints about that token.
        refused: claims of a token that is refused, and the code it names.
    """

    kinds: tuple[str, ...]
    env: dict[str, str]
    says: str
    refused: tuple[dict[str, Any], str]
    others: dict[str, str] = field(
        default_factory=dict
    )  # kind of another good token: the output for it


CASES = {
    "hanko": Case(
        kinds=("hanko",),
        env={
            "HANKO_API_URL": f"https://{UUID}.hanko.io",
            "HANKO_AUDIENCE": "https://shop.example.com",
        },
        says=f"user {UUID}, a@example.com\n",
        refused=(
            {"email": {"address": "a@example.com", "is_verified": False}},
            "rejected_by_check",
        ),
    ),
    "hanko_passkeys": Case(
        kinds=("hanko_passkeys",),
        env={"HANKO_TENANT_ID": UUID, "HANKO_RELYING_PARTY_ID": "shop.example.com"},
        says="user user 7, passkey kO1e\n",
        refused=({"ago": 120}, "token_too_old"),
    ),
    "prelude": Case(
        kinds=("prelude", "prelude_step_up"),
        env={"PRELUDE_APP_ID": "app2"},
        says="user usr_01, session ses_01\n",
        refused=({"iss": "app3.session.prelude.dev"}, "unknown_issuer"),
        others={"prelude_step_up": "user usr_01 confirmed pay prld:pwd:write\n"},
    ),
    "stytch": Case(
        kinds=("stytch",),
        env={"STYTCH_PROJECT_ID": PROJECT},
        says="user user-test-1, session session-test-1\n",
        refused=({"https://stytch.com/session": None}, "missing_claim"),
    ),
    "stytch_m2m": Case(
        kinds=("stytch_m2m",),
        env={"STYTCH_PROJECT_ID": PROJECT, "STYTCH_SCOPE": "write:users"},
        says="machine m2m-client-test-1, scopes read:users write:users\n",
        refused=({"scope": "read:users"}, "insufficient_scope"),
    ),
    "wso2": Case(
        kinds=("wso2",),
        env={
            "WSO2_BASE_URL": "https://is.example.com:9443",
            "WSO2_AUDIENCE": "client1",
            "WSO2_TENANT": "acme.com",
        },
        says=f"APPLICATION_USER {UUID}, scopes openid orders:read\n",
        refused=({"at_hash": "x"}, "forbidden_claim"),  # an ID token
    ),
    "asgardeo": Case(
        kinds=("asgardeo",),
        env={"ASGARDEO_ORGANIZATION": "bifrost", "ASGARDEO_AUDIENCE": "client1"},
        says=f"user {UUID}, scopes openid orders:read\n",
        refused=({"aut": "APPLICATION"}, "invalid_claim"),
    ),
    "entra_multi_tenant": Case(
        kinds=("entra",),
        env={"ENTRA_AUDIENCE": "client1"},
        says="tenant 11111111-2222-4333-8444-555555555555, user AAAAsub, scopes orders.read\n",
        refused=({"tid": UUID, "iss": f"{ENTRA}/{UUID}/v2.0"}, "wrong_issuer"),
    ),
    "wso2_tenants": Case(
        kinds=("wso2",),
        env={
            "WSO2_BASE_URL": "https://is.example.com:9443",
            "WSO2_TENANTS": "globex.com=client2 acme.com=client1",
        },
        says=f"acme.com: {UUID}, scopes openid orders:read\n",
        refused=({"iss": f"{WSO2}/token".replace("acme.com", "evil.com")}, "unknown_issuer"),
    ),
}
by_case = pytest.mark.parametrize("name", CASES)


@by_case
@pytest.mark.parametrize("by", ["argument", "stdin"])
def test_an_example_verifies_a_token_of_its_provider(run, internet, name, by):
    """A token in the provider's shape is accepted, by one request to the documented URL."""
    case = CASES[name]
    internet.publish(*(account(kind) for kind in case.kinds))
    token = account(case.kinds[0]).issue()
    if by == "argument":
        outcome = run(name, token, env=case.env)
    else:
        outcome = run(name, stdin=f"{token}\n", env=case.env)
    assert outcome == Outcome(0, case.says, "")
    assert internet.asked[0] == account(case.kinds[0]).url


@by_case
def test_an_example_refuses_a_similar_token(run, internet, name):
    """Another kind of token is refused, with the code on standard error."""
    case = CASES[name]
    internet.publish(*(account(kind) for kind in case.kinds))
    claims, code = case.refused
    outcome = run(name, account(case.kinds[0]).issue(**claims), env=case.env)
    assert (outcome.status, outcome.out) == (1, "")
    assert code in outcome.err


@by_case
def test_an_example_reports_unavailable_keys(run, internet, name):
    """During an outage the token is neither accepted nor refused, and the output says so."""
    case = CASES[name]
    outcome = run(name, account(case.kinds[0]).issue(), env=case.env)
    assert (outcome.status, outcome.out) == (3, "")
    assert outcome.err.startswith("503 fetch_failed")


@pytest.mark.parametrize(
    ("name", "kind"), [(name, kind) for name, case in CASES.items() for kind in case.others]
)
def test_an_example_for_several_kinds_distinguishes_them(run, internet, name, kind):
    """Each kind of token is accepted as its own kind."""
    case = CASES[name]
    internet.publish(*(account(one) for one in case.kinds))
    assert run(name, account(kind).issue(), env=case.env) == Outcome(0, case.others[kind], "")


def test_the_passkeys_example_reads_the_server_s_answer(run, internet):
    """Hanko's passkey server answers with a JSON object that contains the token."""
    internet.publish(account("hanko_passkeys"))
    body = json.dumps({"token": account("hanko_passkeys").issue()})
    case = CASES["hanko_passkeys"]
    assert run("hanko_passkeys", stdin=body, env=case.env) == Outcome(0, case.says, "")


def test_the_wso2_example_trusts_the_given_certificate(run, tmp_path):
    """WSO2_CA_FILE is read when the client is made, so a file that is not PEM is reported at once."""
    from jwks_client import ConfigurationError

    no_pem = tmp_path / "carbon.pem"
    no_pem.write_text("not a certificate")
    with pytest.raises(ConfigurationError) as caught:
        run("wso2", "x", env={"WSO2_CA_FILE": str(no_pem)})
    assert caught.value.field == "ca_file"


def test_the_prelude_example_knows_custom_domains(run, internet):
    """PRELUDE_DOMAIN replaces the application's id."""
    internet.publish(account("prelude"), account("prelude_step_up"))
    token = account("prelude").issue()
    outcome = run("prelude", token, env={"PRELUDE_DOMAIN": PRELUDE})
    assert outcome == Outcome(0, CASES["prelude"].says, "")


# Examples with a provider on this machine: separate processes, and real HTTP.


@contextmanager
def served() -> Iterator[FakeProvider]:
    """Serve a provider on loopback, as ``jwks-client serve`` does."""
    idp = FakeProvider(issuer=None)
    with idp.serve():
        yield idp


def local_env(name: str, idp: FakeProvider) -> dict[str, str]:
    """Return the settings of an example for a local provider."""
    if name == "generic":
        return {"JWKS_URL": idp.jwks_url, "TOKEN_ISSUER": idp.issuer, "TOKEN_AUDIENCE": "api"}
    prefix = "PARTNER" if name.startswith("two_providers") else "OIDC"
    return {f"{prefix}_ISSUER": idp.issuer, f"{prefix}_AUDIENCE": "api"}


def check_generic() -> None:
    """Check the claims on standard output, a refused audience, and an outage."""
    with served() as idp:
        env = local_env("generic", idp)
        good = run_apart("generic", stdin=f"{idp.issue(sub='u7')}\n", env=env)
        assert (good.status, json.loads(good.out)["sub"], good.err) == (0, "u7", "")
        bad = run_apart("generic", idp.issue(aud="other"), stdin="", env=env)
        assert (bad.status, bad.out, bad.err.split(":")[0]) == (1, "", "401 wrong_audience")
        idp.fail(503)
        away = run_apart("generic", idp.issue(), stdin="", env=env)
        assert (away.status, away.out, away.err.split(":")[0]) == (3, "", "503 fetch_failed")


def check_oidc() -> None:
    """Check the claims as the script's own type, and the log of the fetch; a token without sub is refused."""
    with served() as idp:
        env = local_env("oidc", idp)
        good = run_apart("oidc", stdin=idp.issue(sub="u7", scope="a b"), env=env)
        assert (good.status, good.out) == (0, "u7, scopes a b\n")
        assert "KeysFetched" in good.err
        bad = run_apart("oidc", idp.issue(sub=None), stdin="", env=env)
        assert (bad.status, bad.out) == (1, "")
        assert "401 missing_claim" in bad.err
        idp.fail(500)
        away = run_apart("oidc", idp.issue(), stdin="", env=env)
        assert (away.status, "503 discovery_failed" in away.err) == (3, True)


def check_queue_worker() -> None:
    """Check that each message is acknowledged, rejected or requeued by its token's outcome."""

    def message(idp: FakeProvider, **claims: Any) -> str:
        return json.dumps({"token": idp.issue(**claims), "order": "tea"})

    with served() as idp:
        env = local_env("queue_worker", idp)
        queue = [
            message(idp, sub="u7", scope="orders:write"),
            message(idp, scope="orders:read"),
            message(idp, scope="orders:write", expires_in=-60),
            message(FakeProvider(issuer=idp.issuer), scope="orders:write"),
            '{"order": "tea"}',
            "[]",
            "no JSON",
        ]
        outcome = run_apart("queue_worker", stdin="\n".join(queue), env=env)
        assert outcome == Outcome(
            0,
            "ack: u7 orders tea\n"
            "reject: insufficient_scope\n"
            "reject: token_expired\n"
            "reject: bad_signature\n"
            "reject: not a message for this queue\n"
            "reject: not a message for this queue\n"
            "reject: not a message for this queue\n",
            "",
        )
        idp.fail(503, headers={"Retry-After": "120"})
        outcome = run_apart("queue_worker", stdin=queue[0], env=env)
        assert re.fullmatch(r"requeue in (119|120) s: discovery_failed\n", outcome.out)


def check_two_providers(run, internet) -> None:
    """Check that tokens of either provider are accepted as its own, and one's outage does not affect the other."""
    with served() as partner:
        env = {"STYTCH_PROJECT_ID": PROJECT, **local_env("two_providers", partner)}
        outcome = run("two_providers", partner.issue(sub="p1"), env=env)
        states = "keys of people: cold\nkeys of partners: fresh\n"
        assert outcome == Outcome(0, "partners: p1\n", states)
        away = run("two_providers", account("stytch").issue(), env=env)
        assert (away.status, away.err.split(":")[0]) == (3, "503 fetch_failed")
        internet.publish(account("stytch"))
        assert (
            run("two_providers", account("stytch").issue(), env=env).out == "people: user-test-1\n"
        )
        outcome = run("two_providers", partner.issue(iss="https://else.test"), env=env)
        assert (outcome.status, outcome.err.split(":")[0]) == (1, "401 unknown_issuer")


def check_async_service() -> None:
    """Check status and headers of each outcome on a real server, and that Ctrl-C ends it."""
    with served() as idp, service("async_service", idp) as base_url:
        check_answers(idp, base_url)


def check_asgi_app() -> None:
    """Check that a token with the scope gets in, and that /health is open."""
    with served() as idp, service("asgi_app", idp) as base_url:

        def ask(path: str, **headers: str) -> tuple[int, Any, str | None]:
            answer = httpx.get(f"{base_url}{path}", headers=headers, trust_env=False)
            return answer.status_code, answer.json(), answer.headers.get("www-authenticate")

        good = f"Bearer {idp.issue(sub='u7', scope='orders:read')}"
        assert ask("/orders", Authorization=good) == (200, {"orders of": "u7"}, None)
        assert ask("/health") == (200, {"status": "ok"}, None)
        assert ask("/ready") == (200, {"ready": True}, None)
        status, problem, challenge = ask("/orders")
        assert (status, problem["code"], challenge) == (401, "missing_credentials", "Bearer")
        status, problem, challenge = ask("/orders", Authorization=f"Bearer {idp.issue()}")
        assert (status, problem["code"]) == (403, "insufficient_scope")
        assert challenge == 'Bearer error="insufficient_scope", scope="orders:read"'


def check_mcp_server() -> None:
    """Check that a client finds the authorization server from the first 401, and that no outage logs it out."""
    resource = "https://mcp.example.com/mcp"
    with served() as idp, service("mcp_server", idp, MCP_RESOURCE=resource) as base_url:

        def call(token: str | None) -> httpx.Response:
            headers = {"Accept": "application/json, text/event-stream"}
            if token is not None:
                headers["Authorization"] = f"Bearer {token}"
            params = {"name": "whoami", "arguments": {}}
            message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
            return httpx.post(f"{base_url}/mcp", json=message, headers=headers, trust_env=False)

        url = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp"
        for refused in (call(None), call(idp.issue(expires_in=-3600))):
            assert refused.status_code == 401
            assert f'resource_metadata="{url}"' in refused.headers["www-authenticate"]
        document = httpx.get(url.replace("https://mcp.example.com", base_url), trust_env=False)
        assert document.json()["resource"] == resource
        assert document.json()["authorization_servers"] == [idp.issuer]
        lacking = call(idp.issue())
        assert lacking.status_code == 403
        assert "insufficient_scope" in lacking.headers["www-authenticate"]
        good = call(idp.issue(sub="u7", scope="tools:run"))
        assert good.json()["result"]["content"][0]["text"] == "you are u7"
        idp.rotate()
        idp.fail(503)
        away = call(idp.issue(sub="u7", scope="tools:run"))
        assert (away.status_code, "www-authenticate" in away.headers) == (503, False)


def check_tenants_sqlite(tmp_path) -> None:
    """Check that tenants sign up and leave while it runs, and that no tenant can make itself an operator."""
    settings = {"TENANTS_DB": str(tmp_path / "tenants.sqlite")}
    with (
        served() as operators,
        served() as tenant,
        service("tenants_sqlite", operators, **settings) as base_url,
    ):

        def ask(token: str, method: str = "GET", row: Any = None) -> tuple[int, Any]:
            answer = httpx.request(
                method,
                f"{base_url}/" if row is None else f"{base_url}/tenants",
                content=json.dumps(row).encode(),
                headers={"Authorization": f"Bearer {token}"},
                trust_env=False,
            )
            return answer.status_code, answer.json()

        operator = operators.issue(sub="o1", scope="tenants:write")
        member = tenant.issue(sub="u7", scope="tenants:write")
        row = {"issuer": tenant.issuer, "audience": "api", "jwks_url": tenant.jwks_url}
        status, problem = ask(member)
        assert (status, problem["code"]) == (401, "unknown_issuer")
        status, problem = ask(operators.issue(), "PUT", row)
        assert (status, problem["code"]) == (403, "insufficient_scope")
        for wrong in ({**row, "jwks_url": "file:///keys"}, {**row, "issuer": "operators"}, {}, []):
            assert ask(operator, "PUT", wrong)[0] == 400
        assert ask(operator, "PUT", {**row, "audience": "x" * 20_000})[0] == 400
        assert ask(operator, "PUT", row) == (200, {"tenant": tenant.issuer})
        assert ask(member) == (200, {"tenant": tenant.issuer, "sub": "u7"})
        assert ask(member, "PUT", row)[0] == 403
        assert ask(operator, "DELETE", row) == (200, {"tenant": tenant.issuer})
        status, problem = ask(member)
        assert (status, problem["code"]) == (401, "unknown_issuer")
        assert ask(operator)[1] == {"tenant": "operators", "sub": "o1"}


@contextmanager
def service(name: str, idp: FakeProvider, **settings: str) -> Iterator[str]:
    """Run an example that serves in a separate process; yield its base URL. Ctrl-C ends it cleanly."""
    env = {**os.environ, **local_env(name, idp), **settings, "PORT": "0"}
    command = [sys.executable, str(SCRIPTS[name])]
    with child(command, env=env, stderr=subprocess.PIPE) as process:
        yield where_it_runs(process)
        process.send_signal(signal.SIGINT)
        log = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 0, log
    assert "Traceback" not in log


def where_it_runs(service: subprocess.Popen[str]) -> str:
    """Return the base URL that a server names in its log."""
    for line in service.stderr or ():
        if found := re.search(r"(?i)running on (http://127\.0\.0\.1:\d+)", line):
            if found[1].endswith(":0"):
                pytest.skip("this release of aiohttp prints port 0 instead of its real port")
            return found[1]
    raise AssertionError("the service ended before it served")


def check_answers(idp: FakeProvider, base_url: str) -> None:
    """Check the service's answers, case by case."""

    def ask(credentials: str | None, path: str = "/") -> tuple[int, Any, httpx.Headers]:
        headers = {} if credentials is None else {"Authorization": credentials}
        response = httpx.get(f"{base_url}{path}", headers=headers, trust_env=False)
        return response.status_code, response.json(), response.headers

    good = idp.issue(sub="u7", scope="orders:read")
    assert ask(f"Bearer {good}")[:2] == (200, {"sub": "u7", "scopes": ["orders:read"]})
    assert ask(None, "/health")[:2] == (200, {"oidc": "fresh"})
    assert ask(None, "/ready")[:2] == (200, {"ready": True})
    for credentials, status, code, challenge in [
        (None, 401, "missing_credentials", "Bearer"),
        ("Basic dTpw", 401, "missing_credentials", "Bearer"),
        ("Bearer", 400, "invalid_request", 'Bearer error="invalid_request"'),
        ("Bearer a b", 400, "invalid_request", 'Bearer error="invalid_request"'),
        ("Bearer junk", 401, "malformed_token", 'Bearer error="invalid_token"'),
        (
            f"Bearer {idp.issue(scope='other')}",
            403,
            "insufficient_scope",
            'Bearer error="insufficient_scope", scope="orders:read"',
        ),
    ]:
        answered = ask(credentials)
        assert answered[:2] == (status, {"code": code})
        assert answered[2]["www-authenticate"] == challenge
    idp.rotate()
    idp.fail(503, headers={"Retry-After": "120"})
    status, body, headers = ask(f"Bearer {idp.issue(scope='orders:read')}")
    assert (status, body, "www-authenticate" in headers) == (503, {"code": "fetch_failed"}, False)
    assert headers["retry-after"] == "120"
    assert ask(f"Bearer {good}")[0] == 200


def served_to(name: str, check: Callable[[FakeProvider, str], None]) -> Callable[[], None]:
    """Return a check of the answers of an example that serves."""

    def check_it() -> None:
        with served() as idp, service(name, idp) as base_url:
            check(idp, base_url)

    return check_it


def check_queue_consumer() -> None:
    """Check that each message is acknowledged, rejected or requeued by its token's outcome."""
    with served() as idp:
        env = local_env("queue_consumer", idp)
        outcome = run_apart("queue_consumer", stdin=queue_of(idp), env=env)
        assert outcome == Outcome(0, CONSUMED, "")
        idp.fail(503, headers={"Retry-After": "120"})
        outcome = run_apart("queue_consumer", stdin=queue_of(idp).split("\n")[0], env=env)
        assert re.fullmatch(r"requeue in (119|120) s: discovery_failed\n", outcome.out)


def check_lambda_handler() -> None:
    """Check the answer to a call by status and code: verified, refused, or unavailable."""
    with served() as idp:
        env = local_env("lambda_handler", idp)
        good = idp.issue(sub="u7", scope="orders:read")
        assert run_apart("lambda_handler", stdin=good, env=env) == Outcome(0, "u7\n", "")
        poor = run_apart("lambda_handler", idp.issue(), stdin="", env=env)
        assert (poor.status, poor.out, poor.err) == (1, "", "403 insufficient_scope\n")
        idp.fail(503)
        away = run_apart("lambda_handler", good, stdin="", env=env)
        assert (away.status, away.out, away.err) == (3, "", "503 discovery_failed\n")


def until_it_listens(base_url: str) -> None:
    """Wait for a server that names its address before its workers exist."""
    for _ in range(300):
        try:
            ask(base_url, "/")
        except httpx.ConnectError:
            threading.Event().wait(0.1)
        else:
            return


def check_fastapi_workers(redis_url) -> None:
    """Check that four workers verify, and together fetch the keys at most twice."""
    if "timeout_worker_healthcheck" not in inspect.signature(uvicorn.run).parameters:
        pytest.skip("this release of uvicorn kills workers that take 5 s to start")
    with served() as idp, service("fastapi_workers", idp, REDIS_URL=redis_url) as base_url:
        good = idp.issue(sub="u7", scope="orders:read")
        until_it_listens(base_url)
        assert ask(base_url, "/health").json() == {"status": "ok"}
        assert is_ready(base_url)
        answers = [ask(base_url, "/orders", good).json() for _ in range(20)]
        assert {one["orders of"] for one in answers} == {"u7"}
        assert refusal(ask(base_url, "/orders")) == (401, "missing_credentials")
        assert idp.fetches <= 2


def check_django_cache(redis_url) -> None:
    """Check that a process started during an outage verifies with the keys of the cache."""
    with served() as idp:
        good = idp.issue(sub="u7")
        for outage in (False, True):
            if outage:
                idp.fail(503)
            with service("django_cache", idp, REDIS_URL=redis_url) as base_url:
                assert ask(base_url, "/health").json() == {"status": "ok"}
                assert is_ready(base_url)
                assert ask(base_url, "/orders", good).json() == {"orders of": "u7"}
                assert refusal(ask(base_url, "/orders")) == (401, "missing_credentials")


SERVICES = {
    "aiohttp_app": served_to("aiohttp_app", check_aiohttp_app),
    "asgi_app": check_asgi_app,
    "async_service": check_async_service,
    "django_app": served_to("django_app", check_django_app),
    "drf_app": served_to("drf_app", check_drf_app),
    "django_cache": check_django_cache,
    "fastapi_workers": check_fastapi_workers,
    "fastapi_app": served_to("fastapi_app", check_fastapi_app),
    "grpc_server": served_to("grpc_server", check_grpc_server),
    "litestar_app": served_to("litestar_app", check_litestar_app),
    "mcp_server": check_mcp_server,
    "tenants_sqlite": check_tenants_sqlite,
    "starlette_app": served_to("starlette_app", check_starlette_app),
    "two_providers_app": served_to("two_providers_app", check_two_providers_app),
}
OTHERS = {
    **SERVICES,
    "generic": check_generic,
    "lambda_handler": check_lambda_handler,
    "oidc": check_oidc,
    "queue_consumer": check_queue_consumer,
    "queue_worker": check_queue_worker,
    "two_providers": check_two_providers,
}


@pytest.mark.parametrize("name", OTHERS)
def test_an_example_works_over_real_http(request, name):
    """Each example does what its header says, with a provider on this machine."""
    assert_works = OTHERS[name]
    fixtures = inspect.signature(assert_works).parameters
    assert_works(**{name: request.getfixturevalue(name) for name in fixtures})


@pytest.mark.parametrize(
    "name",
    [
        *("aiohttp_app", "asgi_app", "async_service", "django_app", "drf_app"),
        *("fastapi_app", "litestar_app", "starlette_app", "mcp_server", "tenants_sqlite"),
    ],
)
def test_an_example_that_starts_during_an_outage_becomes_ready_by_its_probes_alone(name, tmp_path):
    """The example is alive and not ready during the outage, and ready soon after it."""
    settings = {"TENANTS_DB": str(tmp_path / "tenants.sqlite")}
    with served() as idp:
        idp.fail(503)
        with service(name, idp, **settings) as base_url:
            assert ask(base_url, "/health").status_code == 200
            assert ask(base_url, "/ready").status_code == 503
            idp.recover()
            assert is_ready(base_url)


# Rules for all examples.

by_script = pytest.mark.parametrize("name", SCRIPTS)


def test_every_example_is_tested():
    """A script without a test fails this one."""
    assert sorted(SCRIPTS) == sorted([*CASES, *OTHERS])


def test_every_example_is_in_the_index():
    """examples/README.md names exactly the existing examples."""
    index = (EXAMPLES / "README.md").read_text()
    assert sorted(set(re.findall(r"\[(\w+)\.py\]", index))) == sorted(SCRIPTS)


@by_script
def test_importing_an_example_does_nothing(name, internet, capsys, monkeypatch):
    """An import makes no request, prints nothing, and reads no settings or tokens."""
    runpy.run_path(str(SCRIPTS[name]), run_name=name)  # some frameworks read settings when loaded
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdin", None)
        patch.setattr(os, "environ", None)
        names = runpy.run_path(str(SCRIPTS[name]), run_name=name)
    assert callable(names["main"])
    assert (internet.asked, *capsys.readouterr()) == ([], "", "")


@by_script
def test_an_example_says_how_to_run_it(name):
    """The header names the command and every setting that is read."""
    header = ast.get_docstring(ast.parse(SCRIPTS[name].read_text())) or ""
    assert f"python examples/{name}.py" in header
    assert {one for one in settings_of(SCRIPTS[name]) if one not in header} == set()


@pytest.mark.parametrize("name", OTHERS)
def test_an_example_fits_the_provider_that_the_command_serves(name):
    """Its placeholders are the address of ``jwks-client serve`` and the audience of its tokens."""
    from jwks_client.cli._app import commands

    usual = {one.name: one.default for one in commands.commands["serve"].params}
    code = SCRIPTS[name].read_text()
    assert re.search(rf'_ISSUER", "http://127\.0\.0\.1:{usual["port"]}"', code)
    assert re.search(rf'_AUDIENCE", "{usual["audiences"][0]}"', code)


@pytest.mark.parametrize(
    "name", sorted(SCRIPTS.keys() - {*SERVICES, "queue_consumer", "queue_worker"})
)
def test_an_example_runs_unchanged(run, internet, name):
    """Its placeholders are accepted settings, and a malformed token causes no fetch."""
    outcome = run(name, "no-token")
    assert (outcome.status, outcome.out) == (1, "")
    assert "401 malformed_token" in outcome.err
    assert internet.asked == []
