"""`requires`: what it asks, on whatever can be called, and where it finds the token."""

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
    """A client for threads, without sockets."""
    return JWKSClient(idp.provider, http=httpx.Client(transport=idp.transport), clock=idp.clock)


class Given:
    """What a decorator leaves to be seen of one call: the result, or our error."""

    def __init__(self, idp: FakeProvider, kind: str) -> None:
        self.idp = idp
        self.kind = kind

    def decorated(self, decorator: Any) -> Any:
        """A function that tells whose token it is called for."""

        async def handle_async(word: str = "hello") -> str:
            return f"{word} {current_token().subject}"

        def handle(word: str = "hello") -> str:
            return f"{word} {current_token().subject}"

        return decorator({"async": handle_async, "sync": handle}[self.kind])

    def call(self, decorator: Any, **claims: Any) -> Any:
        """Call it as the middleware would, for a token of these claims; None: anonymous."""
        verified = sync_client_of(self.idp).verify(self.idp.issue(**claims))
        return self.call_for(verified, decorator)

    def call_for(self, token: Any, decorator: Any) -> Any:
        handler = self.decorated(decorator)
        with serving(token):
            result = handler()
            return asyncio.run(result) if self.kind == "async" else result


@pytest.fixture(params=["async", "sync"])
def given(request: pytest.FixtureRequest, idp: FakeProvider) -> Given:
    """A decorated coroutine function, then a decorated function."""
    return Given(idp, request.param)


# What is asked.

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
def test_a_token_with_all_that_is_asked_is_let_in(given, decorator):
    """Scopes, one of several, claims by value or by function, and a provider: each lets in."""
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
def test_a_token_that_lacks_something_is_refused(given, asked, code):
    """What is lacking is told by its code, and the function is not called."""
    with pytest.raises(JWKSError) as caught:
        rest = {name: value for name, value in asked.items() if name != "scopes"}
        given.call(requires(*asked.get("scopes", ()), **rest), **GOOD)
    assert caught.value.code == code


def test_what_a_function_of_claims_raises_is_a_refusal(given):
    """A failure in claims= lets nobody in, and is told as the cause."""

    def fails(token: Any) -> bool:
        return token.claims["no such claim"]

    with pytest.raises(InsufficientScopeError) as caught:
        given.call(requires(claims=fails), **GOOD)
    assert caught.value.code == "insufficient_claims"
    assert isinstance(caught.value.__cause__, KeyError)


def test_an_error_of_ours_from_a_function_of_claims_passes(given):
    """claims= may say itself what is wrong, as a provider's checks may."""

    def suspended(token: Any) -> bool:
        raise TokenError("forbidden_claim", "suspended", claim="org_id")

    with pytest.raises(TokenError) as caught:
        given.call(requires(claims=suspended), **GOOD)
    assert caught.value.code == "forbidden_claim"


def test_claims_are_those_that_were_signed(given):
    """What the application writes into token.claims never lets anybody in."""
    token = sync_client_of(given.idp).verify(given.idp.issue(sub="u1"))
    token.claims["org_id"] = "o1"
    with pytest.raises(InsufficientScopeError) as caught:
        given.call_for(token, requires(claims={"org_id": "o1"}))
    assert (caught.value.code, caught.value.claim) == ("insufficient_claims", "org_id")


def test_nobody_is_let_in_without_a_token(given):
    """Anonymous under optional=True, or no middleware at all: 401 missing_credentials."""
    with pytest.raises(CredentialsError) as caught:
        given.call_for(None, requires("a"))
    assert (caught.value.code, caught.value.http_status) == ("missing_credentials", 401)


def test_a_middleware_that_was_forgotten_is_told_of():
    """Without one a good token is not found: the message says so, where an anonymous request's does not."""
    handler = requires("a")(lambda: None)
    with pytest.raises(
        CredentialsError, match="the app is not wrapped in JWKSMiddleware"
    ) as caught:
        handler()
    assert caught.value.code == "missing_credentials"


# Settings.


def plain(request: Any) -> None:
    """A function."""


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
def test_a_wrong_setting_is_told_where_it_is_written(idp, settings, handler, field):
    """Nothing waits for the first request: it is a ConfigurationError that names the setting."""
    clients = {"sync": sync_client_of(idp), "async": client_of(idp)}
    named = {name: value for name, value in settings.items() if name != "scopes"}
    if "client" in named:
        named["client"] = clients.get(named["client"], named["client"])
    with pytest.raises(ConfigurationError) as caught:
        requires(*settings.get("scopes", ()), **named)(handler)
    assert caught.value.field == field


# What can be decorated.


def test_a_decorated_function_looks_as_before():
    """Name, signature, documentation and kind stay, as frameworks read them."""

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
    """Methods of each kind."""

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
def test_whatever_is_called_is_protected(idp, name):
    """Methods, static and class methods, partials, objects and generators: none gets past."""

    def run(scope: str) -> Any:
        with serving(sync_client_of(idp).verify(idp.issue(scope=scope))):
            result = CALLABLES[name]("word")
            return asyncio.run(result) if inspect.iscoroutine(result) else result

    assert run("a").endswith("word")
    with pytest.raises(InsufficientScopeError):
        run("b")


# Where the token is: token= finds it.


def test_a_consumer_is_called_with_a_token_that_its_message_holds(idp):
    """token= is given all arguments; the token is the current one inside, and only there."""

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


def test_a_sync_consumer_is_the_same(idp):
    """With a JWKSClient and a plain function; bytes are a token too."""

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


def test_an_error_of_ours_from_token_passes(idp):
    """token= may say itself that credentials cannot be read."""

    def find(message: object) -> str:
        raise CredentialsError("invalid_request", "two tokens")

    with pytest.raises(CredentialsError) as caught:
        requires(client=sync_client_of(idp), token=find)(plain)("m")
    assert caught.value.http_status == 400


def test_keys_that_are_not_to_be_had_are_told_to_a_consumer(idp):
    """The consumer can requeue: it is KeysUnavailableError, with its time."""
    idp.fail(503, headers={"Retry-After": "9"})
    consume = requires(client=client_of(idp), token=lambda message: message)(awaited)
    with pytest.raises(KeysUnavailableError) as caught:
        asyncio.run(consume(idp.issue()))
    assert caught.value.retry_after > 1


# Where the token is: in a connection among the arguments.


async def tell(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI app that answers with the subject."""
    assert current_token() == get_token(scope)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": get_token(scope).subject.encode()})


def test_an_asgi_app_is_called_with_the_token_in_its_scope(idp):
    """The scope that it sees has the token, the server's own is as it was."""
    app = requires("a", client=client_of(idp))(tell)
    scope = http_scope(idp.issue(sub="u1", scope="a"))
    before = dict(scope)
    assert call(app, scope).body == b"u1"
    assert scope == before
    assert current_token() is None
    assert call(app, http_scope(idp.issue())).code == "insufficient_scope"


def test_nothing_of_a_caller_is_left_behind(idp):
    """After a call in the same task the token is current no more."""

    # Not by `Call.to`, which makes a task of its own, whose context ends with it.
    async def in_this_task() -> None:
        app = requires(client=client_of(idp))(tell)
        one = Call()
        await app(http_scope(idp.issue()), one.receive, one.send)
        assert current_token() is None
        consume = requires(client=client_of(idp), token=lambda raw: raw)(awaited)
        await consume(idp.issue())
        assert current_token() is None

    asyncio.run(in_this_task())


def test_an_object_with_a_call_of_its_own_is_awaited_where_it_has_to_be(idp):
    """Also in a partial: the client must be the one that fits."""

    class Endpoint:
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await tell(scope, receive, send)

    for app in (Endpoint(), functools.partial(Endpoint())):
        assert (
            call(requires(client=client_of(idp))(app), http_scope(idp.issue(sub="u"))).body == b"u"
        )
        with pytest.raises(ConfigurationError):
            requires(client=sync_client_of(idp))(app)


def test_a_method_that_is_an_asgi_app_is_found_out(idp):
    """Its scope is not the first argument."""

    class Endpoint:
        @requires(client=client_of(idp))
        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await tell(scope, receive, send)

    assert call(Endpoint(), http_scope(idp.issue(sub="u1"))).body == b"u1"
    assert call(Endpoint(), http_scope()).code == "missing_credentials"


def test_what_is_no_request_reaches_a_decorated_asgi_app(idp):
    """Lifespan passes, as it does the middleware."""
    seen: list[str] = []

    @requires(client=client_of(idp))
    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    call(app, {"type": "lifespan"})
    assert seen == ["lifespan"]


FAILED = {"type": "http.response.start", "status": 500, "headers": []}
BODY = {"type": "http.response.body", "body": b"oops"}


def test_an_answer_500_of_an_asgi_app_gives_way_to_ours(idp):
    """Frameworks send it for any error, and raise that on; for others' errors it stays."""

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


def test_no_second_answer_is_begun(idp):
    """An error of ours after an answer began is raised."""
    began = {"type": "http.response.start", "status": 200, "headers": []}
    app = requires(client=client_of(idp))(raising(InsufficientScopeError(["x"]), began))
    with pytest.raises(InsufficientScopeError):
        call(app, http_scope(idp.issue()))


def test_a_setting_that_is_wrong_is_no_answer(idp):
    """A ConfigurationError that an app raises is a mistake of the app, and raised."""
    app = requires(client=client_of(idp))(raising(ConfigurationError("x", "y")))
    with pytest.raises(ConfigurationError):
        call(app, http_scope(idp.issue()))


def test_a_handshake_is_closed_where_the_server_cannot_deny_it(idp):
    """Without the extension for denials it is close 1008."""
    app = requires(client=client_of(idp))(tell)
    assert call(app, ws_scope(extensions={})).sent == [{"type": "websocket.close", "code": 1008}]


@pytest.mark.parametrize("arguments", [(), (1, "a"), ({"type": "http"},), ({"type": "x"}, 1, 2)])
def test_a_function_that_is_handed_no_connection_is_not_called(idp, arguments):
    """What has no scope to read from fails closed, loudly."""
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
    """A function that is handed a request is judged by that request's token."""
    client = sync_client_of(idp)
    rich, poor = client.verify(idp.issue(scope="a")), client.verify(idp.issue())
    seen: list[Any] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        with serving(rich):
            requires("a")(lambda scope, receive, send: seen.append("let in"))(scope, receive, send)

    with pytest.raises(InsufficientScopeError):
        asyncio.run(inner({"type": "http", "jwks_client.token": poor}, call, call))
    assert seen == []
    asyncio.run(inner({"type": "http"}, call, call))  # it says nothing: the context does
    assert seen == ["let in"]


def test_a_function_deep_inside_needs_no_argument(idp):
    """Under the middleware the token is found by the context, in a thread as well."""

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


def test_under_the_wsgi_middleware_it_is_the_same(idp):
    """`requires` needs to know nothing of WSGI."""

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


def test_one_client_serves_one_event_loop_after_another():
    """As async_to_sync does: a fetch in each of two loops, and none waits for the other's."""
    idp = FakeProvider(issuer=None)
    with idp.serve():
        client = AsyncJWKSClient(idp.provider)
        app = requires(client=client)(tell)
        assert call(app, http_scope(idp.issue(sub="u1"))).body == b"u1"
        idp.rotate()
        assert call(app, http_scope(idp.issue(sub="u2"))).body == b"u2"
    assert idp.fetches == 2


def test_tasks_and_threads_keep_their_callers_apart(idp):
    """Two calls at once, in tasks and in threads, each see their own token."""

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


def test_the_accessors_are_the_ones_of_the_middleware():
    """One name each, wherever an integration takes it from."""
    from jwks_client import integrations

    assert integrations.current_token is asgi.current_token is wsgi.current_token
