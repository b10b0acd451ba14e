"""Prometheus metrics: right, bounded, and in multiprocess mode too."""

from __future__ import annotations

import base64
import errno
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from jwks_client import JWKSClient, Provider
from jwks_client.errors import JWKSError, KeysUnavailableError, TokenError
from jwks_client.instrumentation import prometheus
from jwks_client.testing import FakeProvider

RULES = Path(__file__).parents[2] / "examples/monitoring/alerts.yaml"
VERIFIED = "jwks_client_verifications_total"


def values(registry: CollectorRegistry, name: str) -> dict[tuple[str, ...], float]:
    """Return the samples of one name, by the values of their labels."""
    return {
        tuple(sample.labels.values()): sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name == name
    }


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def test_each_verification_is_counted_by_its_outcome(drive, idp, clock, registry):
    """Accepted, remembered, refused and unavailable verifications are counted, and a scrape shows the newest numbers."""
    client = drive.client(idp)
    prometheus.instrument(client, registry=registry)
    token = idp.issue()
    for _ in range(3):
        drive.verify(token)
    with pytest.raises(JWKSError):
        drive.verify(idp.issue(aud="other"))
    idp.fail(503)
    clock.advance(10**6)
    with pytest.raises(KeysUnavailableError):
        drive.verify(idp.issue())
    for _ in range(2):  # a scrape changes nothing
        assert values(registry, VERIFIED) == {
            ("issuer.test", "accepted", ""): 3,
            ("issuer.test", "refused", "wrong_audience"): 1,
            ("issuer.test", "unavailable", "fetch_failed"): 1,
        }


def test_fetches_and_keys_are_measured(drive, idp, clock, registry):
    """Durations by reason and error, the number of keys, and their fetch time are measured."""
    client = drive.client(idp)
    prometheus.instrument(client, registry=registry)
    drive.warm_up()
    idp.fail(503)
    with pytest.raises(KeysUnavailableError):
        drive.refresh()
    assert values(registry, "jwks_client_fetch_duration_seconds_count") == {
        ("issuer.test", "cold", "provider", ""): 1,
        ("issuer.test", "manual", "provider", "fetch_failed"): 1,
    }
    assert values(registry, "jwks_client_keys") == {
        ("issuer.test", "usable"): 1,
        ("issuer.test", "unusable"): 0,
    }
    assert values(registry, "jwks_client_key_set_fetched_seconds") == {
        ("issuer.test",): clock.time()
    }


def test_keys_loaded_before_are_measured(drive, idp, registry):
    """The keys of a client that is instrumented after its start, and of a static key set, are counted."""
    client = drive.client(idp)
    drive.warm_up()
    prometheus.instrument(client, registry=registry)
    fixed = Provider(name="fixed", issuer="https://a.test", audience="api", jwks=idp.jwks())
    prometheus.instrument(JWKSClient(fixed), registry=registry)
    assert values(registry, "jwks_client_keys") == {
        (name, state): number
        for name in ("issuer.test", "fixed")
        for state, number in (("usable", 1), ("unusable", 0))
    }


def test_10_000_random_kids_add_no_time_series(idp, registry):
    """Nothing that a stranger writes into a token becomes a label."""
    http = httpx.Client(transport=idp.transport)
    with JWKSClient(idp.provider, http=http, clock=idp.clock) as client:
        prometheus.instrument(client, registry=registry)
        token = idp.issue()
        client.verify(token)
        rest = token[token.index(".") :]
        for number in range(10_000):
            header = json.dumps({"alg": "RS256", "kid": f"random-{number}"}).encode()
            with pytest.raises(TokenError):
                client.verify(base64.urlsafe_b64encode(header).rstrip(b"=").decode() + rest)
    assert values(registry, VERIFIED) == {
        ("issuer.test", "accepted", ""): 1,
        ("issuer.test", "refused", "unknown_key"): 10_000,
    }
    assert b"random" not in generate_latest(registry)


def test_tenants_share_a_label_by_default(drive, clock):
    """The number of tenants does not determine the size of the registry."""
    idp = FakeProvider(issuer="https://tenant.test", clock=clock)
    for tenants, label in ((False, "resolved"), (True, "https://tenant.test")):
        registry = CollectorRegistry()
        client = drive.client(
            resolve={"https://tenant.test": idp.provider}.get, transport=idp.transport, clock=clock
        )
        prometheus.instrument(client, registry=registry, tenants=tenants)
        drive.verify(idp.issue())
        assert values(registry, VERIFIED) == {(label, "accepted", ""): 1}


def test_two_clients_share_a_registry_and_each_can_end(drive, idp, registry):
    """Their numbers add up, and after its end a client runs the code of one that was never instrumented."""
    first = drive.client(idp)
    one = prometheus.instrument(first, registry=registry)
    drive.verify(idp.issue())
    drive.client(idp)
    with prometheus.instrument(drive.current, registry=registry):
        drive.verify(idp.issue())
    drive.verify(idp.issue())  # not counted any more
    one.end()
    one.end()
    assert values(registry, VERIFIED) == {("issuer.test", "accepted", ""): 2}
    assert first._begin == first._verifier.begin
    assert first._listeners == ()


PROGRAM = """
import os, sys
from jwks_client import JWKSClient
from jwks_client.instrumentation import prometheus
from jwks_client.testing import FakeProvider
import httpx
idp = FakeProvider()
client = JWKSClient(idp.provider, http=httpx.Client(transport=idp.transport))
prometheus.instrument(client)
token = idp.issue()
client.verify(token)
child = os.fork()
for _ in range(3):
    client.verify(token)
if child:
    os.waitpid(child, 0)
"""


def scrape_of(program: str, directory: Path) -> str:
    """Run a program in Prometheus' multiprocess mode, and return what a scrape finds afterwards."""
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(directory)}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=60)
    scrape = (
        "from prometheus_client import CollectorRegistry, generate_latest, multiprocess as m;"
        "r = CollectorRegistry(); m.MultiProcessCollector(r); print(generate_latest(r).decode())"
    )
    return subprocess.run(
        [sys.executable, "-c", scrape],
        env=environment,
        check=True,
        timeout=60,
        capture_output=True,
        text=True,
    ).stdout


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_workers_add_up_in_multiprocess_mode(tmp_path):
    """Each process exports its counts, at exit at the latest, and nothing is counted twice."""
    scraped = scrape_of(PROGRAM, tmp_path)
    (line,) = [one for one in scraped.splitlines() if one.startswith(VERIFIED)]
    assert float(line.split()[-1]) == 7, scraped


PRELOADED = """
import os, sys
from jwks_client import JWKSClient
from jwks_client.instrumentation import prometheus
from jwks_client.testing import FakeClock, FakeProvider
from prometheus_client import Counter
import httpx
requests = Counter("requests", "Of the application.")
clock = FakeClock(1_700_000_000)
idp = FakeProvider(clock=clock)
client = JWKSClient(idp.provider, http=httpx.Client(transport=idp.transport), clock=clock)
prometheus.instrument(client)
client.warm_up()
for worker in ("busy", "idle"):
    if not os.fork():
        requests.inc()
        if worker == "busy":
            clock.advance(4000)
            client.verify(idp.issue())
        sys.exit()
    os.wait()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_process_that_only_forks_does_not_make_the_keys_look_old(tmp_path):
    """With preloading, the last fetch of any worker counts: not that of the parent, nor the zero of an idle worker."""
    scraped = scrape_of(PRELOADED, tmp_path)
    (line,) = [one for one in scraped.splitlines() if one.startswith("jwks_client_key_set_fetched")]
    assert float(line.split()[-1]) == 1_700_004_000


def test_a_backend_that_fails_refuses_no_token(tmp_path, monkeypatch, idp, registry, caplog):
    """In multiprocess mode, a full or missing disk costs metrics, and neither a valid token nor more than one record."""
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    client = idp.client()
    counted = prometheus.instrument(client, registry=registry)

    def fail(*_: str) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(counted._metrics.verifications, "labels", fail)
        for _ in range(3):
            counted._counts._flush_at = 0.0
            assert client.verify(idp.issue()).provider == "issuer.test"
    assert [one.levelname for one in caplog.records] == ["ERROR"]
    counted._counts._flush_at = 0.0
    client.verify(idp.issue())
    assert values(registry, VERIFIED)
    counted.end()


FORKS = """
import os, threading
from jwks_client import JWKSClient
from jwks_client.instrumentation import prometheus
from jwks_client.testing import FakeProvider
import httpx

idp = FakeProvider()
client = JWKSClient(idp.provider, http=httpx.Client(transport=idp.transport))
metrics = prometheus.instrument(client)._metrics
inside, forking, forked, lock = threading.Event(), threading.Event(), threading.Event(), threading.Lock()
labels = metrics.fetches.labels

def slow(*values):
    with lock:  # stands for a lock of the backend
        inside.set()
        forking.wait(10)
        forked.wait(0.2)  # never set where forks wait for this thread
    return labels(*values)

metrics.fetches.labels = slow
token = idp.issue()
client.verify(token)
inside.wait(10)
os.register_at_fork(before=forking.set, after_in_parent=forked.set)
child = os.fork()
if child:
    assert os.waitpid(child, 0)[1] == 0
else:
    os._exit(not lock.acquire(timeout=10))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_child_does_not_inherit_a_lock_of_the_backend():
    """A fork waits until another thread has reported an event, so metrics work in the child."""
    ended = subprocess.run([sys.executable, "-c", FORKS], check=False, timeout=60)
    assert ended.returncode == 0


def test_a_missing_extra_is_named():
    """A failing import names the extra to install."""
    program = (
        "import sys; sys.modules['prometheus_client'] = None\n"
        "import jwks_client.instrumentation.prometheus"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert 'pip install "jwks-client-sdk[prometheus]"' in ended.stderr


def test_the_alert_rules_name_metrics_that_exist(drive, idp, registry):
    """Each rule has an expression, a severity and a summary, and its metrics are exported."""
    yaml: Any = pytest.importorskip("yaml")
    prometheus.instrument(drive.client(idp), registry=registry)
    exported = {family.name for family in registry.collect()}
    exported |= {f"{name}_total" for name in exported} | {f"{name}_count" for name in exported}
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    assert len(group["rules"]) == 6
    for rule in group["rules"]:
        named = set(re.findall(r"jwks_client_[a-z_]+", rule["expr"]))
        assert named
        assert named <= exported, rule["alert"]
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
        assert rule["annotations"]["summary"].endswith(".")
