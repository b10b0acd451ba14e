"""`JWKSAuth` in FastAPI, beyond the table of requests."""

import json
from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from asgi_calls import StandIn, call, client_of, http_scope, ws_scope
from fastapi import APIRouter, Depends, FastAPI, Request, Security, WebSocket
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from jwks_client import AsyncJWKSClient, JWKSClient, JWKSError, TokenError, VerifiedToken
from jwks_client.asgi import JWKSMiddleware, get_token
from jwks_client.decorators import requires
from jwks_client.errors import ConfigurationError, InsufficientScopeError
from jwks_client.integrations.fastapi import JWKSAuth
from jwks_client.providers import Cookie, Header, Query, Subprotocol
from jwks_client.testing import FakeProvider

CONNECT = {"type": "websocket.connect"}


def subject_of(token: VerifiedToken | None) -> str | None:
    """Answer with the subject."""
    return None if token is None else token.subject


def body_of(app: Any, scope: Any) -> Any:
    """Return the JSON of an app's answer."""
    answer = call(app, scope, {"type": "http.request"})
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


# The document.


def document_of(auth: JWKSAuth) -> dict[str, Any]:
    """Return the OpenAPI document of an app whose routes require a token in every possible way."""
    app = FastAPI(dependencies=[Depends(auth)])
    router = APIRouter(dependencies=[Security(auth, scopes=["router"])])

    @app.get("/plain")
    def plain(token: Annotated[VerifiedToken, Depends(auth)], limit: int = 10) -> None: ...

    @app.get("/scoped")
    def scoped(token: Annotated[VerifiedToken, Security(auth, scopes=["a"])]) -> None: ...

    @app.get("/required")
    def required(
        token: Annotated[
            VerifiedToken,
            Depends(auth.requires("a", any_of=("b",), claims={"c": 1}, provider="p")),
        ],
    ) -> None: ...

    @app.get("/typed")
    def typed(claims: Annotated[Any, Depends(auth.claims_as(Claims))]) -> None: ...

    @router.post("/routed")
    def routed(connection: Request) -> None: ...

    app.include_router(router)
    return app.openapi()


@dataclass
class Claims:
    """Custom claims."""

    sub: str
    org_id: str


def test_the_document_names_none_of_the_library_s_parameters(idp):
    """Connection, scopes, schemes and policies do not appear as parameters of the request."""
    document = document_of(JWKSAuth(client_of(idp)))
    named = {
        (path, parameter["name"])
        for path, item in document["paths"].items()
        for operation in item.values()
        for parameter in operation.get("parameters", [])
    }
    assert named == {("/plain", "limit")}
    assert not any(
        "requestBody" in one for item in document["paths"].values() for one in item.values()
    )


def test_the_document_names_the_locations_of_tokens(idp):
    """Each location is a scheme that the page's Authorize button knows, and any of them suffices."""
    auth = JWKSAuth(
        client_of(idp),
        locations=[
            Header("Authorization", scheme="Bearer"),
            Header("X-Token"),
            Cookie("session~1"),
            Query("t"),
            Subprotocol("bearer"),
        ],
        openid_connect_url="https://issuer.test/.well-known/openid-configuration",
    )
    document = document_of(auth)
    assert document["components"]["securitySchemes"] == {
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
        "header-X-Token": {"type": "apiKey", "in": "header", "name": "X-Token"},
        "cookie-session_1": {"type": "apiKey", "in": "cookie", "name": "session~1"},
        "openid": {
            "type": "openIdConnect",
            "openIdConnectUrl": "https://issuer.test/.well-known/openid-configuration",
        },
    }
    for path, item in document["paths"].items():
        (operation,) = item.values()
        names = {name for one in operation["security"] for name in one}
        assert names == set(document["components"]["securitySchemes"]), path


def test_several_providers_have_their_own_schemes(idp):
    """scheme_name keeps the schemes apart, and without a client the location is still documented."""
    app = FastAPI()
    for name in ("people", "machines"):
        auth = JWKSAuth(scheme_name=f"{name}-", locations=[Cookie(name)])
        app.get(f"/{name}", dependencies=[Depends(auth)])(lambda: None)
    app.get("/")(requires("x")(lambda: None))
    schemes = app.openapi()["components"]["securitySchemes"]
    assert {name: one["name"] for name, one in schemes.items()} == {
        "people-cookie-people": "people",
        "machines-cookie-machines": "machines",
    }


# Settings.


@pytest.mark.parametrize(
    ("client", "settings", "field"),
    [
        (None, {"realm": "x"}, "client"),
        ("sync", {}, "client"),
        ("async", {"locations": ()}, "locations"),
        (None, {"locations": ()}, "locations"),
        (None, {"locations": Header("X-Token")}, "locations"),
        (None, {"locations": "Authorization"}, "locations"),
        ("async", {"optional": 1}, "optional"),
        (None, {"optional": 1}, "optional"),
        ("async", {"trusted_origins": ["app.test"]}, "trusted_origins"),
    ],
)
def test_a_wrong_setting_is_refused_at_once(idp, client, settings, field):
    """A wrong setting is a ConfigurationError at once, with the setting's name."""
    made = {None: None, "sync": JWKSClient(idp.provider), "async": client_of(idp)}[client]
    with pytest.raises(ConfigurationError) as caught:
        JWKSAuth(made, **settings)
    assert caught.value.field == field


def test_a_wrong_requirement_is_refused_at_once(idp):
    """auth.requires checks its arguments as the decorator does."""
    with pytest.raises(ConfigurationError) as caught:
        JWKSAuth().requires("a b")
    assert caught.value.field == "scopes"
    assert "one for each scope, got ('a b',)" in str(caught.value)


# Dependencies.


def test_requirements_are_dependencies(idp):
    """auth.requires accepts scopes, one of several, claims and a provider, as the decorator does."""
    auth = JWKSAuth(client_of(idp))
    app = FastAPI()
    admin = auth.requires(any_of=("admin", "owner"), claims={"org_id": "o1"})

    @app.get("/")
    def route(token: Annotated[VerifiedToken, Depends(admin)]) -> Any:
        return subject_of(token)

    def code(**claims: Any) -> str:
        return call(app, http_scope(idp.issue(**claims))).code

    assert body_of(app, http_scope(idp.issue(sub="u1", scope="owner", org_id="o1"))) == "u1"
    assert code(scope="user", org_id="o1") == "insufficient_scope"
    assert code(scope="owner", org_id="o2") == "insufficient_claims"
    assert code(scope="owner") == "insufficient_claims"


class Model(BaseModel):
    """A pydantic model of claims."""

    sub: str
    org_id: str


@pytest.mark.parametrize("kind", [Claims, Model])
def test_claims_can_be_a_custom_type(idp, kind):
    """Claims that do not fit the type are a 403 that names none of them; scopes may be required too."""
    auth = JWKSAuth(client_of(idp), optional=True)
    app = FastAPI()

    @app.get("/")
    def route(claims: Annotated[Any, Depends(auth.claims_as(kind))]) -> Any:
        assert claims is None or isinstance(claims, kind)
        return None if claims is None else claims.org_id

    @app.get("/scoped")
    def scoped(claims: Annotated[Any, Security(auth.claims_as(kind), scopes=["a"])]) -> Any:
        return claims.org_id

    assert body_of(app, http_scope(idp.issue(org_id="o1"))) == "o1"
    assert body_of(app, http_scope()) is None
    for refused in (idp.issue(org_id=7), idp.issue()):
        answer = call(app, http_scope(refused))
        assert (answer.status, answer.code) == (403, "insufficient_claims")
        assert "www-authenticate" not in answer.headers
        assert b"org_id" not in answer.body
    assert body_of(app, http_scope(idp.issue(org_id="o1", scope="a"), "/scoped")) == "o1"
    assert call(app, http_scope(idp.issue(org_id="o1"), "/scoped")).code == "insufficient_scope"
    assert call(app, http_scope(path="/scoped")).code == "missing_credentials"


class Counting(StandIn):
    """A client that counts its verifications."""

    def __init__(self, client: Any) -> None:
        super().__init__()
        self.verified: list[str] = []
        self._client = client

    async def verify(self, token: str, *, provider: str | None = None) -> Any:
        self.verified.append(token)
        return await self._client.verify(token, provider=provider)


def asking_often(app: FastAPI, auth: JWKSAuth) -> FastAPI:
    """Return a route with four dependencies on one token."""

    @app.get("/", dependencies=[Depends(auth), Security(auth, scopes=["a"])])
    def route(
        request: Request,
        claims: Annotated[Any, Depends(auth.requires(any_of="a"))],
        token: Annotated[VerifiedToken, Security(auth, scopes=["b"])],
    ) -> Any:
        assert get_token(request) == token
        return token.subject

    return app


def test_a_token_is_verified_once_per_request(idp):
    """A token is verified once, however many dependencies use it."""
    client = Counting(client_of(idp))
    app = asking_often(FastAPI(), JWKSAuth(client))
    token = idp.issue(sub="u1", scope="a b")
    assert body_of(app, http_scope(token)) == "u1"
    assert client.verified == [token]
    assert body_of(app, http_scope(token)) == "u1"
    assert len(client.verified) == 2


def test_under_the_middleware_a_token_is_not_verified_again(idp):
    """JWKSAuth() uses the middleware's token, and checks scopes as always."""
    client = Counting(client_of(idp))
    app = asking_often(FastAPI(), JWKSAuth())
    app.add_middleware(JWKSMiddleware, client=client, warm_up=None)
    token = idp.issue(sub="u1", scope="a b")
    assert body_of(app, http_scope(token)) == "u1"
    assert client.verified == [token]
    assert call(app, http_scope(idp.issue(scope="a"))).code == "insufficient_scope"


def test_middleware_and_dependency_may_share_a_client(idp):
    """JWKSAuth(client) verifies by itself, from the client's memory, and accepts the same token."""
    client = client_of(idp)
    app = asking_often(FastAPI(), JWKSAuth(client))
    app.add_middleware(JWKSMiddleware, client=client, warm_up=None)
    assert body_of(app, http_scope(idp.issue(sub="u1", scope="a b"))) == "u1"
    assert call(app, http_scope()).code == "missing_credentials"


def test_without_the_middleware_every_request_is_denied(idp):
    """JWKSAuth() in an app without a middleware has no token, so it denies every request."""
    app = asking_often(FastAPI(), JWKSAuth())
    with pytest.raises(JWKSError) as caught:
        call(app, http_scope(idp.issue(scope="a b")))
    assert caught.value.code == "missing_credentials"


def test_two_providers_on_one_route_are_kept_apart(clock):
    """Each dependency gives the token of its own client and location, or none, however often it is used."""
    people, machines = (
        FakeProvider(issuer=f"https://{name}.test", clock=clock) for name in ("people", "machines")
    )
    user = JWKSAuth(client_of(people))
    machine = JWKSAuth(client_of(machines), optional=True, locations=[Header("X-Machine")])
    app = FastAPI()

    def again(token: Annotated[VerifiedToken | None, Security(machine)]) -> Any:
        return subject_of(token)

    @app.get("/")
    def route(
        one: Annotated[VerifiedToken, Depends(user)],
        two: Annotated[VerifiedToken | None, Depends(machine)],
        three: Annotated[Any, Depends(again)],
        four: Annotated[VerifiedToken, Depends(user.requires())],
        five: Annotated[VerifiedToken | None, Depends(machine, use_cache=False)],
    ) -> Any:
        return [subject_of(one), subject_of(two), three, subject_of(four), subject_of(five)]

    scope = http_scope(people.issue(sub="u1"))
    assert body_of(app, scope) == ["u1", None, None, "u1", None]
    scope = http_scope(people.issue(sub="u1"))
    scope["headers"].append((b"x-machine", machines.issue(sub="m1").encode()))
    assert body_of(app, scope) == ["u1", "m1", "m1", "u1", "m1"]
    scope = http_scope(machines.issue(sub="m1"))
    assert call(app, scope).code == "bad_signature"


def test_another_middleware_s_token_stays(clock):
    """An anonymous request of one client's optional dependency keeps another middleware's token, without using it."""
    people, machines = (
        FakeProvider(issuer=f"https://{name}.test", clock=clock) for name in ("people", "machines")
    )
    by_middleware = JWKSAuth()
    machine = JWKSAuth(client_of(machines), optional=True, locations=[Header("X-Machine")])
    app = FastAPI()

    @app.get("/")
    def route(
        request: Request,
        one: Annotated[VerifiedToken | None, Depends(machine)],
        two: Annotated[VerifiedToken, Depends(by_middleware)],
    ) -> Any:
        return [subject_of(one), two.subject, get_token(request).subject, request.user.identity]

    app.add_middleware(JWKSMiddleware, client=client_of(people), warm_up=None)
    scope = http_scope(people.issue(sub="u1"))
    assert body_of(app, scope) == [None, "u1", "u1", "u1"]
    scope["headers"].append((b"x-machine", machines.issue(sub="m1").encode()))
    assert body_of(app, scope) == ["m1", "u1", "m1", "m1"]


def test_a_dependency_is_overridden_the_fastapi_way(idp):
    """app.dependency_overrides[auth] gives tests a token without a request that has one."""
    auth = JWKSAuth(client_of(idp))
    app = FastAPI()

    @app.get("/")
    def route(token: Annotated[VerifiedToken, Depends(auth)]) -> Any:
        return subject_of(token)

    token = JWKSClient(idp.provider, clock=idp.clock, http=_http(idp)).verify(idp.issue(sub="t"))
    app.dependency_overrides[auth] = lambda: token
    assert body_of(app, http_scope()) == "t"
    app.dependency_overrides.clear()
    assert call(app, http_scope()).code == "missing_credentials"


def test_another_client_overrides_every_dependency_of_an_auth(idp):
    """With another JWKSAuth as override, scopes, requires and claims_as use its client, in WebSockets too."""
    auth = JWKSAuth(client_of(FakeProvider(issuer="https://production.test")))
    app = FastAPI()

    @app.get("/scoped")
    def scoped(token: Annotated[VerifiedToken, Security(auth, scopes=["a"])]) -> Any:
        return subject_of(token)

    @app.get("/required")
    def required(token: Annotated[VerifiedToken, Depends(auth.requires("a"))]) -> Any:
        return subject_of(token)

    @app.get("/typed")
    def typed(claims: Annotated[Claims, Depends(auth.claims_as(Claims))]) -> Any:
        return claims.sub

    @app.websocket("/live")
    async def live(websocket: WebSocket, token: Annotated[VerifiedToken, Depends(auth)]) -> None:
        await websocket.accept(subject_of(token))

    app.dependency_overrides[auth] = JWKSAuth(client_of(idp))
    for path in ("/scoped", "/required", "/typed"):
        assert body_of(app, http_scope(idp.issue(sub="t", scope="a", org_id="o"), path)) == "t"
    assert call(app, http_scope(idp.issue(), "/required")).code == "insufficient_scope"
    answer = call(app, ws_scope(idp.issue(sub="t"), "/live"), CONNECT)
    assert answer.sent[0] == {"type": "websocket.accept", "subprotocol": "t", "headers": []}


def _http(idp: FakeProvider) -> Any:
    import httpx

    return httpx.Client(transport=idp.transport)


# Errors are answered without any installed handler.


def test_errors_in_a_mounted_app_are_answered_there(idp):
    """A mounted app has its own handlers, and needs nothing installed in it."""
    auth = JWKSAuth(client_of(idp), realm="sub")
    app, sub = FastAPI(), FastAPI()

    @sub.get("/x")
    def route(token: Annotated[VerifiedToken, Depends(auth)]) -> Any:
        return token.require("deep").subject

    app.mount("/sub", sub)
    refused = call(app, http_scope(path="/sub/x"))
    assert refused.headers["www-authenticate"] == 'Bearer realm="sub"'
    assert call(app, http_scope(idp.issue(), "/sub/x")).code == "insufficient_scope"


def test_an_app_s_own_handler_comes_first(idp):
    """An app's handler for JWKSError, or for one of its subclasses, is used first."""
    auth = JWKSAuth(client_of(idp))
    app = FastAPI()

    @app.exception_handler(JWKSError)
    async def ours(request: Request, error: JWKSError) -> JSONResponse:
        return JSONResponse({"mine": error.code}, error.http_status)

    @app.get("/", dependencies=[Depends(auth)])
    def route() -> None: ...

    refused = call(app, http_scope())
    assert (refused.status, json.loads(refused.body)) == (401, {"mine": "missing_credentials"})


def test_on_error_renders_custom_answers(idp):
    """As with the middleware, on_error sets the body, and the challenge stays."""
    auth = JWKSAuth(client_of(idp), on_error=lambda refusal: refusal.answer.with_body(b'"go away"'))
    app = FastAPI(dependencies=[Depends(auth)])
    app.get("/")(lambda: None)
    refused = call(app, http_scope("junk"))
    assert (refused.status, refused.body) == (401, b'"go away"')
    assert refused.headers["www-authenticate"] == 'Bearer error="invalid_token"'


def test_errors_of_unprotected_routes_are_never_answered(idp):
    """An error of this library from an unprotected route is the app's own, before and after a protected route was used."""
    auth = JWKSAuth(client_of(idp))
    app = FastAPI()

    @app.get("/open")
    def unprotected() -> None:
        raise InsufficientScopeError(["x"])

    app.get("/", dependencies=[Depends(auth)])(lambda: None)
    for _ in range(2):
        with pytest.raises(InsufficientScopeError):
            call(app, http_scope(path="/open"))
        assert call(app, http_scope()).code == "missing_credentials"


def test_an_accepted_websocket_gets_no_second_response(idp):
    """A refusal after the accept closes the WebSocket with 1008."""
    auth = JWKSAuth(client_of(idp))
    app = FastAPI()

    @app.websocket("/")
    async def socket(
        websocket: WebSocket, token: Annotated[VerifiedToken, Security(auth, scopes=["chat"])]
    ) -> None:
        await websocket.accept()
        token.require("deep")

    assert call(app, ws_scope(idp.issue()), CONNECT).code == "insufficient_scope"
    assert call(app, ws_scope(extensions={})).sent == [{"type": "websocket.close", "code": 1008}]
    sent = call(app, ws_scope(idp.issue(scope="chat")), CONNECT).sent
    assert sent[1:] == [{"type": "websocket.close", "code": 1008}]


def test_a_framework_that_keeps_its_handlers_elsewhere_still_refuses(idp):
    """If the handlers cannot be found, the error is raised and the request still denied."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        from fastapi.security import SecurityScopes

        auth = JWKSAuth(client_of(idp))
        await auth(connection=Request(scope), scopes=SecurityScopes())

    with pytest.raises(TokenError):
        call(app, http_scope("junk"))
    call(app, http_scope(idp.issue()))


# The decorator on FastAPI's routes.


def test_the_decorator_answers_in_a_fastapi_route(idp):
    """The decorator works with a client and a request among the parameters, and the route's own model stays."""
    app = FastAPI()

    @app.get("/", response_model=Model)
    @requires("a", client=client_of(idp))
    async def route(request: Request, org_id: str = "o1") -> Any:
        return {"sub": get_token(request).subject, "org_id": org_id}

    token = idp.issue(sub="u1", scope="a")
    assert body_of(app, http_scope(token, query_string=b"org_id=o2")) == {
        "sub": "u1",
        "org_id": "o2",
    }
    refused = call(app, http_scope(idp.issue()))
    assert (refused.status, refused.code) == (403, "insufficient_scope")
    assert refused.headers["content-type"] == "application/problem+json"


def test_the_decorator_uses_the_dependency_s_token(idp):
    """Under a router's JWKSAuth `requires` needs no client, and its error is answered."""
    app = FastAPI(dependencies=[Depends(JWKSAuth(client_of(idp)))])

    @app.get("/")
    @requires("a")
    def route(request: Request) -> Any:
        return get_token(request).subject

    assert body_of(app, http_scope(idp.issue(sub="u1", scope="a"))) == "u1"
    assert call(app, http_scope(idp.issue())).code == "insufficient_scope"


def test_an_app_serves_event_loops_in_turn():
    """One client fetches in each of two loops, as async_to_sync makes them."""
    idp = FakeProvider(issuer=None)
    with idp.serve():
        auth = JWKSAuth(AsyncJWKSClient(idp.provider))
        app = FastAPI()

        @app.get("/")
        def route(token: Annotated[VerifiedToken, Depends(auth)]) -> Any:
            return token.subject

        assert body_of(app, http_scope(idp.issue(sub="u1"))) == "u1"
        idp.rotate()
        assert body_of(app, http_scope(idp.issue(sub="u2"))) == "u2"
    assert idp.fetches == 2
