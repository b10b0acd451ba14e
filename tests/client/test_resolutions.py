"""Calls of the application's resolver: one at a time per issuer, and two seconds at most.

Each story runs with a plain function in both clients, and with a coroutine function.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import threading
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from jwks_client import CachePolicy, ConfigurationError, KeysUnavailableError, Provider, TokenError
from jwks_client._client.issuers.resolver import MOST_FOR_NEW
from jwks_client._client.issuers.resolver_call import Resolution
from jwks_client._client.issuers.tenants import PATIENCE, Tenants
from jwks_client._core.issuers.resolver_answers import Failure
from jwks_client._core.keysets.cache import KeyCache
from jwks_client._core.policy import TenantPolicy
from jwks_client.events import ResolverFailed, TenantDropped, TenantResolved
from jwks_client.testing import FakeClock
from jwks_client.testing._serving.gate import Gate, wait, wait_async

A, B = "https://a.test", "https://b.test"
TTL = 300.0
DUE = 0.8 * TTL
LONG = 10.0  # real seconds after which a working operation has long ended
SHORT = 0.05  # the patience of clients whose resolver hangs


def provider(issuer, **more):
    return Provider(
        name="one name for all", issuer=issuer, audience="api", jwks_url=f"{A}/jwks", **more
    )


class Keys:
    """The part of a key source that tenants use."""

    def __init__(self, provider):
        self.provider = provider
        self.cache = KeyCache(policy=CachePolicy(), due_share=None)


class Application:
    """The application's records and a resolver that reads them; closed gates hold it up."""

    def __init__(self):
        self.records = {}
        self.asked = []
        self.began = {}  # by issuer, opened when the resolver is called for it
        self.gate = None
        self.left = []  # issuers for which the resolver returned or was cancelled
        self.lock = threading.Lock()

    def note(self, issuer):
        with self.lock:
            self.asked.append(issuer)
            self.began.setdefault(issuer, Gate()).open()

    def wait_until_asked(self, issuer):
        with self.lock:
            began = self.began.setdefault(issuer, Gate())
        assert wait(began, within=LONG)

    def answer(self, issuer):
        answer = self.records.get(issuer)
        if isinstance(answer, BaseException):
            raise answer
        return answer(issuer) if callable(answer) else answer

    def plain(self, issuer):
        self.note(issuer)
        try:
            if (gate := self.gate) is not None:
                wait(gate, within=LONG)
            return self.answer(issuer)
        finally:
            self.left.append(issuer)

    async def coroutine(self, issuer):
        self.note(issuer)
        try:
            if (gate := self.gate) is not None:
                await wait_async(gate, within=LONG)
            return self.answer(issuer)
        finally:
            self.left.append(issuer)


class Loop:
    """An event loop in its own thread."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()

    def begin(self, tenants, issuer):
        return asyncio.run_coroutine_threadsafe(wait_for(tenants, issuer), self.loop)

    def call(self, function, *arguments):
        async def run():
            return function(*arguments)

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(LONG)

    def end(self):
        if not self.loop.is_closed():
            asyncio.run_coroutine_threadsafe(end_tasks(), self.loop).result(LONG)
            self.loop.call_soon_threadsafe(self.loop.stop)
            self.thread.join(LONG)
            self.loop.close()


async def end_tasks():
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def wait_for(tenants, issuer):
    """Wait as `AsyncJWKSClient` does."""
    steps = tenants.resolved(issuer)
    while True:
        try:
            call = next(steps)
        except StopIteration as done:
            return done.value
        await call.waited()


class Bench:
    """The tenants of one kind of client, and callers of that kind."""

    def __init__(self, kind):
        self.kind = kind
        self.clock = FakeClock()
        self.application = Application()
        self.events = []
        self.made = []  # of each key source: its issuer, and the former source
        self.tenants = None
        self.threads = ThreadPoolExecutor(80)
        self.loop = None if kind == "threads" else Loop()

    def open(self, resolve=None, *, patience=LONG, **policy):
        usual = {
            "task": self.application.coroutine,
            "loop": self.application.plain,
            "threads": self.application.plain,
        }
        self.tenants = Tenants(
            usual[self.kind] if resolve is None else resolve,
            TenantPolicy(**policy),
            asynchronous=self.kind != "threads",
            clock=self.clock,
            make_source=self.make_source,
            emit=self.events.append,
            draw=lambda: 1.0,
            check_fork=lambda: False,
            patience=patience,
        )
        return self.tenants

    def make_source(self, provider, former):
        self.made.append((provider, former))
        return Keys(provider)

    def begin(self, issuer=A) -> Future:
        """Begin a call for an issuer, as a token of that issuer does."""
        if self.loop is not None:
            return self.loop.begin(self.tenants, issuer)
        return self.threads.submit(self.in_thread, issuer)

    def in_thread(self, issuer):
        """Wait as `JWKSClient` does."""
        steps = self.tenants.resolved(issuer)
        while True:
            try:
                call = next(steps)
            except StopIteration as done:
                return done.value
            call.wait()

    def ask(self, issuer=A):
        return self.begin(issuer).result(LONG)

    def refusal(self, issuer=A):
        return error_of(self.begin(issuer))

    def close(self):
        close = self.tenants.close
        return close() if self.loop is None else self.loop.call(close)

    def end(self):
        if (gate := self.application.gate) is not None:
            gate.open()
        if self.loop is not None:
            self.loop.end()
        self.threads.shutdown()


def error_of(begun):
    with pytest.raises((TokenError, KeysUnavailableError)) as caught:
        begun.result(LONG)
    return caught.value


@pytest.fixture
def bench(request):
    made = Bench(getattr(request, "param", "threads"))
    yield made
    made.end()


of_each_kind = pytest.mark.parametrize("bench", ["threads", "loop", "task"], indirect=True)
of_asyncio = pytest.mark.parametrize("bench", ["loop", "task"], indirect=True)
of_threads_that_resolve = pytest.mark.parametrize("bench", ["threads", "loop"], indirect=True)


# Answers of the resolver.


def test_a_caller_waits_two_seconds_for_the_resolver():
    """A caller waits two seconds for the resolver; the stories below use their own patience."""
    assert PATIENCE == 2


@of_each_kind
def test_a_tenant_is_resolved_once(bench):
    """The resolver gets only the issuer, and its answer counts until it is due."""
    bench.application.records[A] = provider(A)
    tenants = bench.open()
    one = bench.ask()
    assert (one.issuer, one.provider.name, one.provider.jwks_url) == (A, A, f"{A}/jwks")
    assert one.source.provider is one.provider
    bench.clock.advance(DUE - 1)
    assert bench.ask() is one
    assert tenants.get_fresh(A) is one
    assert tenants.loaded == (one,)
    assert bench.application.asked == [A]
    assert bench.events == [TenantResolved(provider=A)]


@of_each_kind
def test_callers_of_one_issuer_share_one_call(bench):
    """Fifty concurrent callers share one call, and another issuer has its own."""
    bench.application.records |= {A: provider(A), B: provider(B)}
    bench.application.gate = Gate()
    bench.open()
    callers = [bench.begin() for _ in range(50)]
    bench.application.wait_until_asked(A)
    other = bench.begin(B)
    bench.application.wait_until_asked(B)
    bench.application.gate.open()
    assert len({id(one.result(LONG)) for one in callers}) == 1
    assert other.result(LONG).issuer == B
    assert sorted(bench.application.asked) == [A, B]


@of_each_kind
def test_the_answer_none_is_a_remembered_refusal(bench):
    """For ten seconds the resolver is not called again; the error is a TokenError and names no issuer."""
    bench.open()
    for _ in range(3):
        refused = bench.refusal()
        assert (type(refused), refused.code, refused.claim) == (TokenError, "unknown_issuer", "iss")
        assert A not in str(refused)
    assert bench.application.asked == [A]
    bench.application.records[A] = provider(A)
    bench.clock.advance(10)
    assert bench.ask().issuer == A
    assert bench.events == [TenantResolved(provider=A)]


@of_each_kind
def test_an_exception_harms_only_the_token_that_asked(bench):
    """An exception of the resolver is the cause of that token's error, is reported without its text, and the next token calls again."""
    bench.application.records[A] = LookupError(f"no database for {A}")
    bench.open()
    error = bench.refusal()
    assert (error.code, error.http_status, error.retry_after) == ("resolver_failed", 503, 1)
    assert error.__cause__ is bench.application.records[A]
    assert error.__cause__.__traceback__ is None
    assert A not in str(error)
    (reported,) = bench.events
    assert (type(reported), reported.provider) == (ResolverFailed, None)
    assert reported.cause.startswith("LookupError at test_resolutions.py:")
    assert A not in repr(reported)
    bench.application.records[A] = provider(A)
    assert bench.ask().issuer == A


@of_each_kind
@pytest.mark.parametrize(
    "answer",
    [provider(B), "https://a.test/jwks", Exception, provider((A, B))],
    ids=["another", "text", "class", "two"],
)
def test_an_answer_that_is_not_that_issuer_s_provider_is_a_failure(bench, answer):
    """Another issuer's provider is 503 and not 401: it is a bug of the application and says nothing about the token."""
    bench.application.records[A] = answer
    bench.open()
    error = bench.refusal()
    assert error.code == "resolver_failed"
    assert A not in str(error)
    assert bench.made == []
    assert bench.tenants.loaded == ()


@of_each_kind
def test_a_provider_that_cannot_be_used_is_a_failure(bench):
    """A provider that a client would refuse, such as one with an empty static key set, is a failure of the resolver."""

    def make_source(provider, former):
        raise ConfigurationError("jwks", "takes a JWK Set with a usable key")

    bench.make_source = make_source
    bench.application.records[A] = provider(A)
    bench.open()
    error = bench.refusal()
    assert (error.code, type(error.__cause__)) == ("resolver_failed", ConfigurationError)


def test_the_sync_client_refuses_a_resolved_check_that_must_be_awaited(bench):
    """The sync client refuses a resolved provider whose checks are coroutine functions."""

    async def check(token):
        return True

    bench.application.records[A] = provider(A, checks=(check,))
    bench.open()
    assert bench.refusal().code == "resolver_failed"


@of_asyncio
def test_the_async_client_accepts_a_resolved_check_that_is_awaited(bench):
    """The async client accepts a resolved provider whose checks are coroutine functions."""

    async def check(token):
        return True

    bench.application.records[A] = provider(A, checks=(check,))
    bench.open()
    assert bench.ask().issuer == A


@of_each_kind
def test_an_equal_answer_keeps_the_keys_and_another_replaces_them(bench):
    """The former key source is passed to the maker of the new one, which may find that the URL is the same."""
    bench.application.records[A] = lambda issuer: provider(A, algorithms=["RS256"])
    bench.open()
    one = bench.ask()
    bench.clock.advance(TTL)
    assert bench.ask() is one
    bench.application.records[A] = provider(A, algorithms=["RS256"], leeway=60)
    bench.clock.advance(TTL)
    other = bench.ask()
    assert (other is one, one.held, other.held) == (False, False, True)
    assert [former for _, former in bench.made] == [None, one.source]
    assert bench.tenants.leeway == 60
    assert bench.application.asked == [A] * 3
    assert bench.events == [TenantResolved(provider=A)] * 2


# Repeated calls.


@of_each_kind
def test_a_due_tenant_is_resolved_again_without_a_waiting_caller(bench):
    """Callers are served while the one background call is in progress."""
    bench.application.records[A] = provider(A)
    bench.open()
    one = bench.ask()
    bench.clock.advance(DUE)
    bench.application.gate = Gate()
    for _ in range(5):
        assert bench.ask() is one
    assert wait_for_calls(bench, 2) == [A, A]
    bench.application.records[A] = None
    bench.application.gate.open()
    until(lambda: not one.held)
    assert bench.refusal().code == "unknown_issuer"
    assert bench.events[1:] == [TenantDropped(provider=A, reason="refused")]


@of_each_kind
def test_past_resolve_ttl_a_removed_tenant_is_refused(bench):
    """Past resolve_ttl callers wait for the new answer."""
    bench.application.records[A] = provider(A)
    bench.open()
    one = bench.ask()
    bench.application.records[A] = None
    bench.clock.advance(TTL)
    assert bench.refusal().code == "unknown_issuer"
    assert not one.held


@of_each_kind
def test_with_a_resolver_that_hangs_no_caller_waits_after_the_first(bench):
    """A loaded tenant is served within stale_if_error, with one call per backoff."""
    bench.application.records[A] = provider(A)
    tenants = bench.open(stale_if_error=1000)
    one = bench.ask()
    tenants._patience = SHORT
    bench.application.gate = Gate()
    bench.clock.advance(TTL)
    assert bench.ask() is one  # waits, gets no answer, and is still served
    for _ in range(100):
        assert bench.ask() is one
    assert bench.application.asked == [A, A]
    assert bench.events[1:] == [
        ResolverFailed(
            provider=A,
            message="the application's resolver took too long",
            cause=None,
            retry_in=1.0,
        )
    ]
    bench.clock.advance(1)
    assert bench.ask() is one  # one more call, in the background
    assert wait_for_calls(bench, 3) == [A] * 3
    bench.clock.advance(1000)
    assert bench.refusal().code == "resolver_failed"


@of_each_kind
def test_a_background_call_that_hangs_ends_without_a_waiting_caller(bench):
    """The next token finds the background call overdue; a failure is recorded, and the backoff begins."""
    bench.application.records[A] = provider(A)
    tenants = bench.open()
    one = bench.ask()
    tenants._patience = 0.0
    bench.application.gate = Gate()
    bench.clock.advance(DUE)
    assert bench.ask() is one
    wait_for_calls(bench, 2)
    assert bench.ask() is one
    until(lambda: one.failures == 1)
    assert bench.application.left == [A] * (2 if bench.kind == "task" else 1)
    assert bench.ask() is one
    assert len(bench.application.asked) == 2


@of_each_kind
def test_a_late_answer_is_dropped(bench):
    """A late answer is dropped, even if no caller has noticed yet that its time is over."""
    bench.application.records[A] = provider(A)
    tenants = bench.open()
    one = bench.ask()
    tenants._patience = 0.0
    bench.application.gate = Gate()
    bench.clock.advance(DUE)
    assert bench.ask() is one
    bench.application.gate.open()
    until(lambda: not tenants._resolver._running)
    until(lambda: one.failures == 1)
    assert one.asked_at == 0


@of_each_kind
def test_an_unknown_issuer_whose_call_hangs_costs_one_wait(bench):
    """Later callers get an error at once, and a late answer is dropped."""
    bench.application.records[A] = provider(A)
    bench.application.gate = Gate()
    bench.open(patience=SHORT)
    for _ in range(20):
        error = bench.refusal()
        assert (error.code, error.retry_after) == ("resolver_failed", 1)
    assert bench.application.asked == [A]
    bench.application.gate.open()
    until(lambda: bench.application.left == [A])
    until(lambda: not bench.tenants._resolver._running)
    assert bench.tenants.loaded == ()
    bench.clock.advance(1)
    bench.tenants._patience = LONG
    assert bench.ask().issuer == A


@of_each_kind
def test_new_issuers_are_limited_and_loaded_tenants_notice_nothing(bench):
    """Twenty new issuers are resolved at once; further ones get Retry-After."""
    bench.application.records[A] = provider(A)
    bench.open()
    one = bench.ask()
    codes = [bench.refusal(f"https://x{n}.test").code for n in range(25)]
    assert codes == ["unknown_issuer"] * 19 + ["resolver_failed"] * 6
    error = bench.refusal(B)
    assert (error.http_status, error.retry_after) == (503, 1)
    assert error.__cause__ is None
    bench.clock.advance(TTL)  # past resolve_ttl: resolved again, at no cost
    codes = [bench.refusal(f"https://y{n}.test").code for n in range(20)]
    assert codes == ["unknown_issuer"] * 20
    assert bench.ask() is one


@of_threads_that_resolve
def test_the_number_of_stuck_threads_is_bounded(bench):
    """A thread cannot be ended from outside, so new issuers get at most 32 of them."""
    bench.application.gate = Gate()
    bench.open(patience=0.0)
    for number in range(50):
        bench.clock.advance(1)
        assert bench.refusal(f"https://x{number}.test").code == "resolver_failed"
    until(lambda: len(bench.application.asked) == MOST_FOR_NEW)
    assert len(bench.tenants._resolver._running) == MOST_FOR_NEW
    bench.application.gate.open()
    until(lambda: not bench.tenants._resolver._running)


@of_threads_that_resolve
def test_each_loaded_tenant_has_its_own_call(bench):
    """The limit on stuck threads for new issuers does not apply to loaded tenants."""
    names = [f"https://t{n}.test" for n in range(MOST_FOR_NEW + 5)]
    bench.application.records |= {name: provider(name) for name in names}
    bench.open()
    for name in names:
        bench.clock.advance(1)
        bench.ask(name)
    bench.application.gate = Gate()
    bench.clock.advance(DUE)
    for name in names:
        assert bench.ask(name).issuer == name
    assert sorted(wait_for_calls(bench, 2 * len(names))) == sorted(names * 2)
    assert bench.events == [TenantResolved(provider=name) for name in names]


@of_threads_that_resolve
def test_one_issuer_has_two_stuck_threads_at_most(bench):
    """One tenant's broken records do not stop the calls for the others."""
    bench.application.records |= {A: provider(A), B: provider(B)}
    tenants = bench.open(patience=LONG, stale_if_error=1e6)
    one = bench.ask()
    tenants._patience = 0.0
    bench.application.gate = Gate()
    for _ in range(20):
        bench.clock.advance(TTL)
        assert bench.ask() is one
    until(lambda: bench.application.asked == [A] * 3)
    bench.application.gate, stuck = None, bench.application.gate
    tenants._patience = LONG
    assert bench.ask(B).issuer == B
    stuck.open()


@of_each_kind
def test_an_answer_is_recorded_once(bench):
    """A caller may find a call overdue at the very moment its answer comes: only one of the two counts.

    An older call, of another event loop, does not undo what a newer one brought either.
    """
    bench.application.records[A] = provider(A)
    tenants = bench.open()
    one = bench.ask()
    bench.clock.advance(DUE)
    bench.application.gate = Gate()
    bench.ask()
    bench.application.wait_until_asked(A)
    (call,) = tenants._in_flight.values()
    bench.application.gate.open()
    until(lambda: call.ended)
    tenants._land(call, Failure("it came second"))
    tenants._land(Resolution(A, None, 1, 0.0, float("inf")), None)
    assert (one.failure, one.held) == (None, True)


# Forgetting, closing, forking.


@of_each_kind
def test_forget_drops_a_tenant_at_once(bench):
    """`forget` drops the tenant and its remembered tokens; a tenant that is not loaded is not an error."""
    bench.application.records[A] = provider(A)
    tenants = bench.open()
    one = bench.ask()
    tenants.forget(A)
    tenants.forget(B)
    assert (one.held, tenants.loaded, tenants.get_fresh(A)) == (False, (), None)
    assert bench.events[1:] == [TenantDropped(provider=A, reason="forgotten")]
    assert bench.ask() is not one


@of_each_kind
def test_forget_drops_a_remembered_refusal(bench):
    """A tenant that was just set up need not wait ten seconds."""
    tenants = bench.open()
    bench.refusal()
    bench.application.records[A] = provider(A)
    tenants.forget(A)
    assert bench.ask().issuer == A


@of_each_kind
def test_an_answer_from_before_forget_does_not_count(bench):
    """A caller that waited for the earlier call calls again, and the earlier answer does not bring the tenant back."""
    application = bench.application
    application.records[A] = provider(A)
    application.gate, first = Gate(), bench.application.gate
    tenants = bench.open()
    waiting = bench.begin()
    application.wait_until_asked(A)
    first, application.gate = application.gate, None
    application.records[A] = None  # the second call's answer
    tenants.forget(A)
    assert error_of(waiting).code == "unknown_issuer"
    application.records[A] = provider(A)  # the first call's answer
    first.open()
    until(lambda: len(application.left) == 2)
    until(lambda: not tenants._resolver._running)
    assert bench.refusal().code == "unknown_issuer"
    assert (tenants.loaded, application.asked) == ((), [A, A])


@of_each_kind
def test_a_closed_client_calls_the_resolver_no_more(bench):
    """After `close` loaded tenants are used while their answers count; a token that needs a call is 503."""
    bench.application.records[A] = provider(A)
    bench.open()
    one = bench.ask()
    bench.application.gate = Gate()
    waiting = bench.begin(B)
    bench.application.wait_until_asked(B)
    tasks = bench.close()
    assert len(tasks) == (bench.kind == "task")
    until(lambda: all(task.cancelled() for task in tasks))
    assert error_of(waiting).code == "fetch_failed"
    assert bench.refusal(B).code == "fetch_failed"
    assert bench.ask() is one
    bench.clock.advance(DUE)
    assert bench.ask() is one
    bench.clock.advance(TTL)
    assert bench.refusal().code == "fetch_failed"
    assert bench.application.asked == [A, B]


@of_each_kind
def test_a_child_process_begins_without_calls_and_with_a_free_lock(bench):
    """A forked child has no calls of its parent's threads, and a free lock; loaded tenants stay."""
    bench.application.records[A] = provider(A)
    bench.application.gate = Gate()
    tenants = bench.open()
    bench.begin()
    bench.application.wait_until_asked(A)
    tenants._lock.held.acquire()
    bench.application.gate, parent = None, bench.application.gate
    tenants.after_fork()
    assert bench.ask().issuer == A
    assert len(bench.application.asked) == 2
    parent.open()


@of_each_kind
def test_listeners_are_called_without_a_lock(bench):
    """A listener may use tenants, or forget one, because no lock is held while it is called."""
    bench.application.records[A] = provider(A)
    tenants = bench.open()
    tenants._emit = lambda event: (bench.events.append(event), tenants.forget(B), tenants.loaded)
    bench.ask()
    tenants.forget(A)
    assert len(bench.events) == 2


@of_each_kind
def test_verified_tenants_are_kept_and_new_ones_come_and_go(bench):
    """An event reports which tenant was evicted."""
    c = "https://c.test"
    bench.application.records |= {one: provider(one) for one in (A, B, c)}
    tenants = bench.open(max_resolved=1)
    first = bench.ask(A)
    tenants.verified(first)
    newcomer = bench.ask(B)
    assert (tenants.get_fresh(A).issuer, tenants.get_fresh(B)) == (A, None)
    tenants.verified(tenants.get_fresh(A))
    tenants.verified(newcomer)
    assert (tenants.get_fresh(A), tenants.get_fresh(B)) == (None, newcomer)
    assert TenantDropped(provider=A, reason="evicted") in bench.events
    tenants.verified(first)  # by a token that was being verified when its tenant was evicted
    assert tenants.get_fresh(A) is first


# Threads, tasks and contexts.


@of_each_kind
def test_the_resolver_runs_in_the_caller_s_context(bench):
    """The resolver sees context variables such as request ids, and what it sets stays in its own copy."""
    request = contextvars.ContextVar("request", default="none")
    seen = []

    def look(issuer):
        seen.append(request.get())
        request.set("the resolver's")
        return provider(issuer)

    bench.application.records[A] = look
    bench.open()

    async def in_task():
        request.set("7")
        await wait_for(bench.tenants, A)
        return request.get()

    def in_thread():
        request.set("7")
        bench.in_thread(A)
        return request.get()

    if bench.loop is None:
        assert contextvars.copy_context().run(in_thread) == "7"
    else:
        assert asyncio.run_coroutine_threadsafe(in_task(), bench.loop.loop).result(LONG) == "7"
    assert seen == ["7"]


@of_threads_that_resolve
def test_a_plain_function_runs_in_its_own_daemon_thread(bench):
    """Neither a caller's thread nor the event loop is blocked, and the process can end."""
    seen = []
    bench.application.records[A] = lambda issuer: seen.append(threading.current_thread())
    bench.open()
    bench.refusal()
    assert [(one.name, one.daemon) for one in seen] == [("jwks-client resolver", True)]


def test_a_thread_that_cannot_start_is_a_failure(bench, monkeypatch):
    """If no thread can start, or the interpreter is ending, the answer is 503 and nothing is left behind."""
    bench.open()

    def start(thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", start)
        with pytest.raises(KeysUnavailableError) as caught:
            bench.in_thread(A)
    assert caught.value.code == "resolver_failed"
    assert bench.tenants._resolver._running == {}


@of_threads_that_resolve
@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), asyncio.CancelledError()])
def test_any_exception_of_the_resolver_is_a_failure(bench, error):
    """An exception, SystemExit included, fails the call and does not end its thread loudly."""
    bench.application.records[A] = error
    bench.open()
    raised = bench.refusal()
    assert (raised.code, raised.__cause__) == ("resolver_failed", error)
    assert bench.application.asked == [A]


@pytest.mark.parametrize("bench", ["task"], indirect=True)
def test_a_coroutine_that_always_ends_as_cancelled_is_abandoned(bench):
    """Callers call again, as after an event loop that ended, at most three times."""
    bench.application.records[A] = asyncio.CancelledError()
    bench.open()
    assert bench.refusal().code == "resolver_failed"
    assert bench.application.asked == [A] * 3
    assert bench.tenants._resolver._running == {}


def is_a_coroutine_function():
    async def function(issuer):
        return None

    class Callable:
        async def __call__(self, issuer):
            return None

    return [function, Callable(), functools.partial(function), functools.partial(Callable())]


@pytest.mark.parametrize("resolve", [*is_a_coroutine_function()[:3], "https://a.test", 7])
def test_the_sync_client_refuses_a_resolver_that_it_cannot_call(bench, resolve):
    """A coroutine function in any form, or anything but a function, is refused by the sync client."""
    with pytest.raises(ConfigurationError) as caught:
        bench.open(resolve)
    assert caught.value.field == "resolve"


@pytest.mark.parametrize("resolve", is_a_coroutine_function())
@pytest.mark.parametrize("bench", ["loop"], indirect=True)
def test_the_async_client_accepts_any_coroutine_function(bench, resolve):
    """A coroutine function, an object with an async call, or a partial of either is accepted."""
    bench.open(resolve)
    assert bench.refusal().code == "unknown_issuer"


@pytest.mark.parametrize("bench", ["loop"], indirect=True)
def test_a_function_may_return_an_awaitable(bench):
    """An awaitable that a plain function returns is awaited on the caller's event loop."""
    application = bench.application
    application.records[A] = provider(A)
    bench.open(lambda issuer: application.coroutine(issuer))  # noqa: PLW0108 (no coroutine function)
    assert bench.ask().issuer == A
    application.gate = Gate()
    bench.tenants._patience = SHORT
    assert bench.refusal(B).code == "resolver_failed"
    until(lambda: application.left == [A, B])


def test_the_sync_client_refuses_a_returned_awaitable(bench):
    """The sync client refuses a returned awaitable with a message, and closes it."""
    application = bench.application
    bench.open(lambda issuer: application.coroutine(issuer))  # noqa: PLW0108 (no coroutine function)
    error = bench.refusal()
    assert (error.code, "await" in error.message) == ("resolver_failed", True)
    assert application.asked == []


@pytest.mark.parametrize("bench", ["loop"], indirect=True)
def test_an_awaitable_whose_event_loop_is_gone_is_dropped(bench):
    """The caller's loop was closed before the function returned, so its awaitable is dropped."""
    application = bench.application
    held = Gate()

    def resolve(issuer):
        application.note(issuer)
        wait(held, within=LONG)
        return application.coroutine(issuer)

    tenants = bench.open(resolve)
    bench.begin()
    application.wait_until_asked(A)
    bench.loop.end()
    held.open()
    until(lambda: not tenants._resolver._running)
    assert application.asked == [A]


@pytest.mark.parametrize("bench", ["loop"], indirect=True)
def test_an_awaitable_that_is_never_awaited_is_closed(bench):
    """The loop ended between the function's return and the first step: the awaitable is closed without a warning."""
    resolver = bench.open()._resolver

    async def cancel_at_once():
        call = Resolution(A, asyncio.get_running_loop(), 1, 0.0, float("inf"))
        answer = bench.application.coroutine(A)
        resolver._await_answer(call, answer, contextvars.copy_context())
        call.task.cancel()
        await asyncio.wait([call.task])
        await asyncio.sleep(0)
        return inspect.getcoroutinestate(answer)

    ended = asyncio.run_coroutine_threadsafe(cancel_at_once(), bench.loop.loop)
    assert ended.result(LONG) == inspect.CORO_CLOSED


@pytest.mark.parametrize("bench", ["task"], indirect=True)
def test_a_coroutine_is_cancelled_when_its_time_is_over(bench):
    """After its time a coroutine is cancelled, and its callers get the error."""
    bench.application.gate = Gate()
    bench.open(patience=SHORT)
    error = bench.refusal()
    assert (error.code, error.__cause__) == ("resolver_failed", None)
    until(lambda: bench.application.left == [A])
    until(lambda: not bench.tenants._resolver._running)


@pytest.mark.parametrize("bench", ["task"], indirect=True)
def test_a_coroutine_that_ignores_cancellation_delays_no_caller(bench):
    """Callers of a coroutine that ignores its cancellation get the error in time, and its answer is dropped."""
    gate, application = Gate(), bench.application

    async def resolve(issuer):
        application.note(issuer)
        for _ in range(2):
            try:
                await wait_async(gate, within=LONG)
            except asyncio.CancelledError:
                continue
        return provider(issuer)

    tenants = bench.open(resolve, patience=SHORT)
    assert bench.refusal().code == "resolver_failed"
    gate.open()
    until(lambda: not tenants._resolver._running)
    assert tenants.loaded == ()


@of_asyncio
def test_a_caller_that_is_cancelled_cancels_nothing(bench):
    """The other callers get the answer that a cancelled caller waited for."""
    bench.application.records[A] = provider(A)
    bench.application.gate = Gate()
    bench.open()
    first = bench.begin()
    bench.application.wait_until_asked(A)
    second = bench.begin()
    first.cancel()
    bench.application.gate.open()
    assert second.result(LONG).issuer == A
    assert bench.application.asked == [A]


def test_waking_a_caller_that_is_being_cancelled_is_not_an_error():
    """Its event loop handles wake-up and cancellation in either order."""

    async def both():
        failures = []
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: failures.append(context)
        )
        call = Resolution(A, None, 1, 0.0, float("inf"))
        waiting = asyncio.create_task(call.waited())
        await asyncio.sleep(0)
        call.end()
        waiting.cancel()
        await asyncio.wait([waiting])
        await asyncio.sleep(0)
        return failures

    assert asyncio.run(both()) == []


@of_asyncio
def test_each_event_loop_shares_what_it_can(bench):
    """A thread's answer serves all loops; a coroutine is awaited on the caller's own loop."""
    bench.application.records[A] = provider(A)
    bench.application.gate = Gate()
    bench.open()
    other = Loop()
    try:
        first = bench.begin()
        bench.application.wait_until_asked(A)
        second = other.begin(bench.tenants, A)
        if bench.kind == "task":
            wait_for_calls(bench, 2)
        else:
            until(lambda: len(next(iter(bench.tenants._in_flight.values()))._end._waiting) == 2)
        bench.application.gate.open()
        assert first.result(LONG).issuer == second.result(LONG).issuer == A
        assert len(bench.application.asked) == (2 if bench.kind == "task" else 1)
        assert len(bench.tenants.loaded) == 1
    finally:
        other.end()


@pytest.mark.parametrize("bench", ["task"], indirect=True)
def test_a_new_tenant_on_several_event_loops_costs_one_permit(bench):
    """However many event loops ask about one new tenant at once, all are served, with one permit."""
    bench.application.records[A] = provider(A)
    bench.application.gate = Gate()
    bench.open()
    bench.tenants._table._permits = 1.0
    others = [Loop() for _ in range(3)]
    try:
        waiting = [bench.begin(), *(other.begin(bench.tenants, A) for other in others)]
        wait_for_calls(bench, 4)
        bench.application.gate.open()
        assert [one.result(LONG).issuer for one in waiting] == [A] * 4
    finally:
        for other in others:
            other.end()


@of_asyncio
def test_an_event_loop_that_ends_stops_only_its_own_calls(bench):
    """When one event loop ends, the tenant is still resolved on another."""
    bench.application.records[A] = provider(A)
    bench.application.gate = Gate()
    bench.open()
    bench.begin()
    bench.application.wait_until_asked(A)
    bench.loop.end()
    bench.application.gate.open()
    bench.loop = Loop()
    assert bench.ask().issuer == A
    assert bench.tenants._in_flight == {}


@pytest.mark.parametrize("bench", ["task"], indirect=True)
def test_a_task_that_never_started_leaves_nothing_behind(bench):
    """A task that an ending loop cancels before its first step leaves nothing, and the next caller calls again."""
    bench.application.records[A] = provider(A)
    tenants = bench.open()

    async def begin_and_cancel():
        steps = tenants.resolved(A)
        call = next(steps)
        call.task.cancel()
        await call.waited()
        with pytest.raises(StopIteration):
            await next(steps).waited()
            next(steps)

    asyncio.run_coroutine_threadsafe(begin_and_cancel(), bench.loop.loop).result(LONG)
    assert bench.application.asked == [A]
    assert [one.issuer for one in tenants.loaded] == [A]


def test_calls_of_a_stopped_loop_are_dropped(bench):
    """Tasks of a stopped loop that were never ended count neither as running nor as in flight."""
    bench.kind = "task"
    application = bench.application
    application.gate = Gate()
    tenants = bench.open()
    loop = asyncio.new_event_loop()

    async def begin():
        next(tenants.resolved(A))

    loop.run_until_complete(begin())
    (call,) = tenants._in_flight.values()
    call.task._log_destroy_pending = False
    call.task.get_coro().close()
    loop.close()
    application.gate = None
    application.records[A] = provider(A)
    bench.loop = Loop()
    assert bench.ask().issuer == A
    assert (tenants._in_flight, tenants._resolver._running) == ({}, {})
    call.end()


# Waiting for background work without a sleep.


def until(holds):
    """Wait until a condition is true that a thread or a task is about to make true."""
    tick = threading.Event()
    for _ in range(int(LONG * 1000)):
        if holds():
            return
        tick.wait(0.001)
    raise AssertionError("it never held")


def wait_for_calls(bench, number):
    until(lambda: len(bench.application.asked) >= number)
    return list(bench.application.asked)
