"""A Django project whose processes share key sets through Django's cache.

The cache must be one that processes share, such as Redis or memcached. A process that starts while
the provider is down uses the stored keys. Anyone who can write to a cache that unpickles can run
code in the project, so protect the cache with a password. /health is for a liveness probe; /ready
is for a readiness probe, and answers 503 until the keys are loaded.

    pip install "jwks-client-sdk[redis]" django
    export OIDC_ISSUER=https://idp.example.com/ OIDC_AUDIENCE=…
    export REDIS_URL=redis://127.0.0.1:6379/0 JWKS_STORE_SECRET=…     # at least 32 bytes
    python examples/django_cache.py
    curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8000/orders

Settings: OIDC_ISSUER, OIDC_AUDIENCE, REDIS_URL, JWKS_STORE_SECRET and PORT (0: any free one). As it
stands it works with the provider that ``jwks-client serve`` runs on this machine.
"""

import os
import signal
import sys
import threading
from typing import Any

PLACEHOLDER = "not a secret: at least 32 bytes from a vault"


def make_app() -> Any:
    """Return the project as a WSGI app, configured by the environment."""
    from django.conf import settings
    from django.core.cache import cache
    from django.core.wsgi import get_wsgi_application
    from django.http import HttpRequest, JsonResponse
    from django.urls import path

    from jwks_client import JWKSClient, providers, stores
    from jwks_client.wsgi import JWKSMiddleware, get_token

    def health(_request: HttpRequest) -> JsonResponse:
        return JsonResponse({"status": "ok"})

    def ready(_request: HttpRequest) -> JsonResponse:
        return JsonResponse({"ready": client.ready}, status=200 if client.ready else 503)

    def orders(request: HttpRequest) -> JsonResponse:
        token = get_token(request.META)
        return JsonResponse({"orders of": token.subject if token else None})

    settings.configure(
        SECRET_KEY="only-signs-cookies-and-this-site-sets-none",
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF=(path("health", health), path("ready", ready), path("orders", orders)),
        CACHES={
            "default": {
                "BACKEND": "django.core.cache.backends.redis.RedisCache",
                "LOCATION": os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0"),
            }
        },
    )
    client = JWKSClient(
        providers.oidc(
            os.environ.get("OIDC_ISSUER", "http://127.0.0.1:8400"),
            audience=os.environ.get("OIDC_AUDIENCE", "api"),
        ),
        store=stores.CacheStore(cache, secret=os.environ.get("JWKS_STORE_SECRET", PLACEHOLDER)),
    )
    return JWKSMiddleware(get_wsgi_application(), client, exclude=["/health", "/ready"])


def main() -> int:
    """Serve on loopback until Ctrl-C."""
    from wsgiref.simple_server import make_server

    port = int(os.environ.get("PORT", "8000"))
    with make_server("127.0.0.1", port, make_app()) as server:
        # wsgiref would swallow the KeyboardInterrupt of a Ctrl-C that comes during a request.
        signal.signal(signal.SIGINT, lambda *_: threading.Thread(target=server.shutdown).start())
        print(f"running on http://127.0.0.1:{server.server_port}", file=sys.stderr, flush=True)
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
