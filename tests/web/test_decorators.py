"""`requires`: what it checks, on every kind of callable, and where it finds the token."""

from __future__ import annotations

import asyncio
import functools
import inspect
import threading
from typing import Any

import httpx
import pytest
from asgi_calls import Call, call, client_of, http_scope, raising, ws_scope

from jwks_client import AsyncJWKSClient, JWKSClient, KeysUnavailableError, TokenError, asgi, wsgi
from jwks_client.asgi import JWKSMiddleware, current_token, get_token
from jwks_client.decorators import requires
from jwks_client.errors import (
    ConfigurationError,
    CredentialsError,
    InsufficientScopeError,
    JWKSError,
)
from jwks_client.integrations import serving
from jwks_client.testing import FakeProvider


def sync_client_of(idp: FakeProvider) -> JWKSClient:
    """Return a client for threads, without sockets."""
    return JWKSClient(idp.provider, http=httpx.Client(transport=idp.transport), clock=idp.clock)


class Given:
    """The outcome of one decorated call: its result, or an error of this library."""

    def __init__(self, idp: FakeProvider, kind: str) -> None:
        self.idp = idp
        self.kind = kind

    def decorated(self, decorator: Any) -> Any:
        """Return a function that returns the subject of its token."""

        async def handle_async(word: str = "hello") -> str:
            return f"{word} {current_token().subject}"

        def handle(word: str = "hello") -> str:
            return f"{word} {current_token().subject}"

        return decorator({"async": handle_async, "sync": handle}[self.kind])

    def call(self, decorator: Any, **claims: Any) -> Any:
        """Call the function as the middleware would, with a token of these claims; None is anonymous."""
        verified = sync_client_of(self.idp).verify(self.idp.issue(**claims))
        return self.call_for(verified, decorator)

    def call_for(self, token: Any, decorator: Any) -> Any:
        handler = self.decorated(decorator)
        with serving(token):
            result = handler()
            return asyncio.run(result) if self.kind == "async" else result


@pytest.fixture(params=["async", "sync"])
def given(request: pytest.FixtureRequest, idp: FakeProvider) -> Given:
    """Return a decorated coroutine function, then a decorated function."""
    return Given(idp, request.param)


# Requirements.

GOOD = {"sub": "u1", "scope": "a b", "org_id": "o1", "level": 1}


@pytest.mark.parametrize(
    "decorator",
    [
        requires(),
        requires("a"),
        requires("a", "b"),
        requires(any_of=("b", "c")),
        requires(any_of="b"),
        requires("a", any_of={"b"}, claims={"org_id": "o1"}),
        requires(claims={"org_id": {"o1", "o2"}}),
        requires(claims=lambda token: token.claims["org_id"].startswith("o")),
        requires(provider="issuer.test"),
    ],
)
def test_a_token_that_meets_the_requirements_is_accepted(given, decorator):
    """Scopes, one of several scopes, claims by value or by function, and a provider can each be required."""
    assert given.call(decorator, **GOOD) == "hello u1"


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"scopes": ["c"]}, "insufficient_scope"),
        ({"scopes": ["a", "c"]}, "insufficient_scope"),
        ({"scopes": ["A"]}, "insufficient_scope"),
        ({"any_of": ("c", "d")}, "insufficient_scope"),
        ({"claims": {"org_id": "o2"}}, "insufficient_claims"),
        ({"claims": {"org": "o1"}}, "insufficient_claims"),
        ({"claims": {"level": True}}, "insufficient_claims"),
        ({"claims": lambda _: False}, "insufficient_claims"),
        ({"claims": lambda _: None}, "insufficient_claims"),
        ({"claims": lambda _: 1}, "insufficient_claims"),
        ({"claims": lambda token: token}, "insufficient_claims"),
        ({"provider": "another"}, "insufficient_claims"),
    ],
)
def test_a_token_that_misses_a_requirement_is_refused(given, asked, code):
    """The refusal has the code of what is missing, and the function is not called."""
    with pytest.raises(JWKSError) as caught:
        rest = {name: value for name, value in asked.items() if name != "scopes"}
        given.call(requires(*asked.get("scopes", ()), **rest), **GOOD)
    assert caught.value.code == code


def test_an_exception_of_a_claims_function_is_a_refusal(given):
    """A claims= function that raises refuses the token, and its exception is the cause."""

    def fails(token: Any) -> bool:
        return token.claims["no such claim"]

    with pytest.raises(InsufficientScopeError) as caught:
        given.call(requires(claims=fails), **GOOD)
    assert caught.value.code == "insufficient_claims"
    assert isinstance(caught.value.__cause__, KeyError)


def test_an_error_of_this_library_from_a_claims_function_passes(given):
    """A claims= function may raise an error of this library, as a provider's checks may."""

    def suspended(token: Any) -> bool:
        raise TokenError("forbidden_claim", "suspended", claim="org_id")

    with pytest.raises(TokenError) as caught:
        given.call(requires(claims=suspended), **GOOD)
    assert caught.value.code == "forbidden_claim"


def test_requirements_check_the_signed_claims(given):
    """Changes of the application to token.claims never satisfy a requirement."""
    token = sync_client_of(given.idp).verify(given.idp.issue(sub="u1"))
    token.claims["org_id"] = "o1"
    with pytest.raises(InsufficientScopeError) as caught:
        given.call_for(token, requires(claims={"org_id": "o1"}))
    assert (caught.value.code, caught.value.claim) == ("insufficient_claims", "org_id")


def test_a_call_without_a_token_is_refused(given):
    """An anonymous request, or one without a middleware, is 401 missing_credentials."""
    with pytest.raises(CredentialsError) as caught:
        given.call_for(None, requires("a"))
    assert (caught.value.code, caught.value.http_status) == ("missing_credentials", 401)


def test_a_missing_middleware_is_named():
    """Without a middleware a good token is not found: the message says so, and an anonymous request's does not."""
    handler = requires("a")(lambda: None)
    with pytest.raises(
        CredentialsError, match="the app is not wrapped in JWKSMiddleware"
    ) as caught:
        handler()
    assert caught.value.code == "missing_credentials"


# Settings.


def plain(request: Any) -> None:
    """A plain function."""


async def awaited(request: Any) -> None:
    """A coroutine function."""


async def streamed(request: Any) -> Any:
    """An async generator function."""
    yield request


@pytest.mark.parametrize(
    ("settings", "handler", "field"),
    [
        ({"scopes": ["a b"]}, plain, "scopes"),
        ({"scopes": [""]}, plain, "scopes"),
        ({"scopes": [plain]}, plain, "scopes"),
        ({"any_of": ["a", 1]}, plain, "any_of"),
        ({"any_of": []}, plain, "any_of"),
        ({"any_of": 1}, plain, "any_of"),
        ({"claims": "org"}, plain, "claims"),
        ({"claims": {"org": object()}}, plain, "claims"),
        ({"claims": {1: "org"}}, plain, "claims"),
        ({"claims": awaited}, plain, "claims"),
        ({"provider": ""}, plain, "provider"),
        ({"provider": 1}, plain, "provider"),
        ({"token": plain}, plain, "client"),
        ({"realm": "x"}, plain, "client"),
        ({"anyof": ["a"]}, plain, "anyof"),
        ({"client": "sync", "anyof": ["a"]}, plain, "anyof"),
        ({"client": "sync", "token": plain, "realm": "x"}, plain, "token"),
        ({"client": "sync", "token": "t"}, plain, "token"),
        ({"client": "sync", "token": awaited}, plain, "token"),
        ({"client": "sync", "locations": ()}, plain, "locations"),
        ({"client": "sync"}, awaited, "client"),
        ({"client": "async"}, plain, "client"),
        ({"client": "sync", "token": plain}, awaited, "client"),
        ({"client": "async", "token": plain}, plain, "client"),
        ({"client": "async"}, streamed, "client"),
        ({"client": "sync"}, streamed, "client"),
        ({"client": object()}, plain, "client"),
        ({"client": JWKSClient}, plain, "client"),
        ({}, Given, "requires"),
        ({}, "orders:read", "requires"),
    ],
)
def test_a_wrong_setting_is_refused_at_decoration(idp, settings, handler, field):
    """A wrong setting is a ConfigurationError at decoration, with the setting's name."""
    clients = {"sync": sync_client_of(idp), "async": client_of(idp)}
    named = {name: value for name, value in settings.items() if name != "scopes"}
    if "client" in named:
        named["client"] = clients.get(named["client"], named["client"])
    with pytest.raises(ConfigurationError) as caught:
        requires(*settings.get("scopes", ()), **named)(handler)
    assert caught.value.field == field


# Callables that can be decorated.


def test_a_decorated_function_keeps_its_signature():
    """Name, signature, documentation and kind of a function stay, as frameworks read them."""

    async def orders(request: object, *, limit: int = 10) -> list[str]:
        """All orders."""
        return []

    decorated = requires("a")(orders)
    assert inspect.signature(decorated) == inspect.signature(orders)
    assert (decorated.__name__, decorated.__doc__) == ("orders", "All orders.")
    assert decorated.__annotations__ == orders.__annotations__
    assert inspect.iscoroutinefunction(decorated)
    assert not inspect.iscoroutinefunction(requires("a")(plain))


class Service:
    """A class with methods of each kind."""

    name = "service"

    @requires("a")
    def sync(self, word: str) -> str:
        return f"{self.name} {word}"

    @requires("a")
    async def awaits(self, word: str) -> str:
        return f"{self.name} {word}"

    @requires("a")
    @staticmethod
    def above_static(word: str) -> str:
        return word

    @staticmethod
    @requires("a")
    async def below_static(word: str) -> str:
        return word

    @requires("a")
    @classmethod
    def above_class(cls, word: str) -> str:
        return f"{cls.name} {word}"

    @classmethod
    @requires("a")
    async def below_class(cls, word: str) -> str:
        return f"{cls.name} {word}"

    @requires("a")
    def generates(self, word: str) -> Any:
        yield word

    async def __call__(self, word: str) -> str:
        return f"called {word}"


service = Service()
CALLABLES = {
    "method": service.sync,
    "async method": service.awaits,
    "static method inside": service.above_static,
    "static method outside": Service.below_static,
    "class method inside": Service.above_class,
    "class method outside": service.below_class,
    "partial": requires("a")(functools.partial(lambda one, two: two, "x")),
    "async partial": requires("a")(functools.partial(Service.__call__, service)),
    "object with an async call": requires("a")(service),
    "generator": lambda word: next(service.generates(word)),
}


@pytest.mark.parametrize("name", CALLABLES)
def test_every_kind_of_callable_is_protected(idp, name):
    """Methods, static and class methods, partials, objects and generators are all protected."""

    def run(scope: str) -> Any:
        with serving(sync_client_of(idp).verify(idp.issue(scope=scope))):
            result = CALLABLES[name]("word")
            return asyncio.run(result) if inspect.iscoroutine(result) else result

    assert run("a").endswith("word")
    with pytest.raises(InsufficientScopeError):
        run("b")


# Finding the token with token=.


def test_a_consumer_is_called_with_the_token_of_its_message(idp):
    """token= gets all arguments; the token is current inside the call, and only there."""

    @requires("orders:write", client=client_of(idp), token=lambda message, *, tag: message["token"])
    async def consume(message: dict[str, str], *, tag: str) -> str:
        return f"{tag} {current_token().subject} {get_token_again()}"

    def get_token_again() -> str | None:
        return current_token().subject

    message = {"token": idp.issue(sub="u1", scope="orders:write")}
    assert asyncio.run(consume(message, tag="t")) == "t u1 u1"
    assert current_token() is None
    with pytest.raises(InsufficientScopeError):
        asyncio.run(consume({"token": idp.issue()}, tag="t"))


def test_a_sync_consumer_works_the_same(idp):
    """A plain function with a JWKSClient works the same; the token may be bytes."""

    @requires("w", client=sync_client_of(idp), token=lambda event, _: event.get("token"))
    def handle(event: dict[str, Any], context: object) -> str:
        return f"{current_token().subject}"

    assert handle({"token": idp.issue(sub="u1", scope="w").encode()}, None) == "u1"
    assert current_token() is None
    for event, code in [
        ({}, "missing_credentials"),
        ({"token": "junk"}, "malformed_token"),
        ({"token": 7}, "malformed_token"),
        ({"token": idp.issue(expires_in=-60)}, "token_expired"),
        (None, "missing_credentials"),
    ]:
        with pytest.raises(JWKSError) as caught:
            handle(event, None)
        assert caught.value.code == code
    assert isinstance(caught.value.__cause__, AttributeError)


def test_an_error_of_this_library_from_token_passes(idp):
    """token= may raise an error that says that credentials are malformed."""

    def find(message: object) -> str:
        raise CredentialsError("invalid_request", "two tokens")

    with pytest.raises(CredentialsError) as caught:
        requires(client=sync_client_of(idp), token=find)(plain)("m")
    assert caught.value.http_status == 400


def test_a_consumer_gets_unavailable_keys_as_an_error(idp):
    """A consumer gets KeysUnavailableError with its Retry-After, and can requeue."""
    idp.fail(503, headers={"Retry-After": "9"})
    consume = requires(client=client_of(idp), token=lambda message: message)(awaited)
    with pytest.raises(KeysUnavailableError) as caught:
        asyncio.run(consume(idp.issue()))
    assert caught.value.retry_after > 1


# Finding the token in a connection among the arguments.


async def tell(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the subject, as an ASGI app."""
    assert current_token() == get_token(scope)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": get_token(scope).subject.encode()})


def test_an_asgi_app_gets_the_token_in_its_scope(idp):
    """The app sees the token in its scope, and the server's own scope is unchanged."""
    app = requires("a", client=client_of(idp))(tell)
    scope = http_scope(idp.issue(sub="u1", scope="a"))
    before = dict(scope)
    assert call(app, scope).body == b"u1"
    assert scope == before
    assert current_token() is None
    assert call(app, http_scope(idp.issue())).code == "insufficient_scope"


def test_no_token_is_left_after_a_call(idp):
    """After a call in the same task the token is no longer current."""

    # `Call.to` would make a new task, whose context ends with it.
    async def in_this_task() -> None:
        app = requires(client=client_of(idp))(tell)
        one = Call()
        await app(http_scope(idp.issue()), one.receive, one.send)
        assert current_token() is None
        consume = requires(client=client_of(idp), token=lambda raw: raw)(awaited)
        await consume(idp.issue())
        assert current_token() is None

    asyncio.run(in_this_task())


def test_a_callable_object_is_awaited_where_necessary(idp):
    """A callable object with an async call is awaited, in a partial too, and needs the matching client."""

    class Endpoint:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await tell(scope, receive, send)

    for app in (Endpoint(), functools.partial(Endpoint())):
        assert (
            call(requires(client=client_of(idp))(app), http_scope(idp.issue(sub="u"))).body == b"u"
        )
        with pytest.raises(ConfigurationError):
            requires(client=sync_client_of(idp))(app)


def test_a_method_may_be_an_asgi_app(idp):
    """A method may be an ASGI app, although its scope is not the first argument."""

    class Endpoint:
        @requires(client=client_of(idp))
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await tell(scope, receive, send)

    assert call(Endpoint(), http_scope(idp.issue(sub="u1"))).body == b"u1"
    assert call(Endpoint(), http_scope()).code == "missing_credentials"


def test_lifespan_reaches_a_decorated_asgi_app(idp):
    """Lifespan passes through a decorated app, as through the middleware."""
    seen: list[str] = []

    @requires(client=client_of(idp))
    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    call(app, {"type": "lifespan"})
    assert seen == ["lifespan"]


FAILED = {"type": "http.response.start", "status": 500, "headers": []}
BODY = {"type": "http.response.body", "body": b"oops"}


def test_a_refusal_replaces_the_500_of_an_asgi_app(idp):
    """Frameworks send 500 for any error and raise it on; a refusal replaces that 500, another error does not."""

    async def ours(scope: Any, receive: Any, send: Any) -> None:
        try:
            current_token().require("deep")
        except InsufficientScopeError:
            await send(FAILED)
            await send(BODY)
            raise

    theirs = raising(KeyError("x"), FAILED, BODY)
    one = call(requires(client=client_of(idp))(ours), http_scope(idp.issue()))
    assert (one.status, one.code) == (403, "insufficient_scope")
    another = Call()
    with pytest.raises(KeyError):
        asyncio.run(another.to(requires(client=client_of(idp))(theirs), http_scope(idp.issue())))
    assert another.sent == [FAILED, BODY]

    @requires(client=client_of(idp))
    async def quiet(scope: Any, receive: Any, send: Any) -> None:
        await send(FAILED)
        await send(BODY)

    assert call(quiet, http_scope(idp.issue())).sent == [FAILED, BODY]


def test_no_second_response_is_begun(idp):
    """An error after the response began is raised."""
    began = {"type": "http.response.start", "status": 200, "headers": []}
    app = requires(client=client_of(idp))(raising(InsufficientScopeError(["x"]), began))
    with pytest.raises(InsufficientScopeError):
        call(app, http_scope(idp.issue()))


def test_a_configuration_error_is_not_answered(idp):
    """A ConfigurationError that an app raises is a bug of the app, and is raised."""
    app = requires(client=client_of(idp))(raising(ConfigurationError("x", "y")))
    with pytest.raises(ConfigurationError):
        call(app, http_scope(idp.issue()))


def test_a_handshake_is_closed_where_the_server_cannot_deny_it(idp):
    """A server without denial responses gets close 1008."""
    app = requires(client=client_of(idp))(tell)
    assert call(app, ws_scope(extensions={})).sent == [{"type": "websocket.close", "code": 1008}]


@pytest.mark.parametrize("arguments", [(), (1, "a"), ({"type": "http"},), ({"type": "x"}, 1, 2)])
def test_a_function_without_a_connection_is_not_called(idp, arguments):
    """Without a connection among the arguments the function is not called, and an error says so."""
    called: list[Any] = []

    async def handle(*args: Any) -> None:
        called.append(args)

    def handle_sync(*args: Any) -> None:
        called.append(args)

    with pytest.raises(TypeError, match="given no connection"):
        asyncio.run(requires(client=client_of(idp))(handle)(*arguments))
    with pytest.raises(TypeError, match="given no connection"):
        requires(client=sync_client_of(idp))(handle_sync)(*arguments)
    assert called == []


def test_the_scope_of_the_request_counts_before_the_context(idp):
    """If a function receives a request, that request's token counts, not the token of the context."""
    client = sync_client_of(idp)
    rich, poor = client.verify(idp.issue(scope="a")), client.verify(idp.issue())
    seen: list[Any] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        with serving(rich):
            requires("a")(lambda scope, receive, send: seen.append("admitted"))(
                scope, receive, send
            )

    with pytest.raises(InsufficientScopeError):
        asyncio.run(inner({"type": "http", "jwks_client.token": poor}, call, call))
    assert seen == []
    asyncio.run(
        inner({"type": "http"}, call, call)
    )  # without a token in the scope: the context counts
    assert seen == ["admitted"]


def test_a_function_deep_inside_needs_no_argument(idp):
    """Under the middleware the token is found in the context, in a thread as well."""

    @requires("deep")
    def deep() -> str:
        return current_token().subject

    async def app(scope: Any, receive: Any, send: Any) -> None:
        subject = await asyncio.to_thread(deep)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": subject.encode()})

    protected = JWKSMiddleware(app, client_of(idp), warm_up=None)
    assert call(protected, http_scope(idp.issue(sub="u1", scope="deep"))).body == b"u1"
    refused = call(protected, http_scope(idp.issue()))
    assert (refused.status, refused.code) == (403, "insufficient_scope")


def test_requires_works_under_the_wsgi_middleware(idp):
    """`requires` works under the WSGI middleware without knowing WSGI."""

    @requires("a")
    def orders() -> list[bytes]:
        return [b"orders"]

    def app(environ: Any, start_response: Any) -> Any:
        body = orders()
        start_response("200 OK", [])
        return body

    statuses: list[str] = []
    protected = wsgi.JWKSMiddleware(app, sync_client_of(idp), warm_up=None)
    for scope in ("a", "b"):
        environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": "/",
            "HTTP_AUTHORIZATION": f"Bearer {idp.issue(scope=scope)}",
        }
        protected(environ, lambda status, *_: statuses.append(status))
    assert statuses == ["200 OK", "403 Forbidden"]


def test_a_client_serves_event_loops_in_turn():
    """The client fetches in each of two loops, as async_to_sync makes them, and no call waits for the other loop."""
    idp = FakeProvider(issuer=None)
    with idp.serve():
        client = AsyncJWKSClient(idp.provider)
        app = requires(client=client)(tell)
        assert call(app, http_scope(idp.issue(sub="u1"))).body == b"u1"
        idp.rotate()
        assert call(app, http_scope(idp.issue(sub="u2"))).body == b"u2"
    assert idp.fetches == 2


def test_tasks_and_threads_keep_their_callers_apart(idp):
    """Two concurrent calls, in tasks and in threads, each see their own token."""

    @requires(client=client_of(idp), token=lambda raw, _: raw)
    async def in_task(raw: str, other: asyncio.Barrier) -> str:
        await other.wait()
        return current_token().subject

    @requires(client=sync_client_of(idp), token=lambda raw, _: raw)
    def in_thread(raw: str, other: threading.Barrier) -> str:
        other.wait(20)
        return current_token().subject

    async def tasks() -> list[str]:
        barrier = asyncio.Barrier(2)
        return await asyncio.gather(*(in_task(idp.issue(sub=one), barrier) for one in "ab"))

    async def threads() -> list[str]:
        barrier = threading.Barrier(2)
        calls = (asyncio.to_thread(in_thread, idp.issue(sub=one), barrier) for one in "ab")
        return await asyncio.gather(*calls)

    assert asyncio.run(tasks()) == asyncio.run(threads()) == ["a", "b"]


def test_the_accessors_are_those_of_the_middleware():
    """Each accessor is the same object, whichever integration it is imported from."""
    from jwks_client import integrations

    assert integrations.current_token is asgi.current_token is wsgi.current_token
