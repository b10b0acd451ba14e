"""canaille (PyPI) as a process: one user, one client for each algorithm, the password grant."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import canaille
from canaille.app import models
from canaille.backends import Backend
from wsgi_server import serve


def _fill(given: dict[str, Any]) -> None:
    with Backend.instance.session():
        user = models.User(
            user_name="alice",
            formatted_name="Alice",
            given_name="Alice",
            family_name="Doe",
            emails=["alice@test.example"],
            password="password-of-the-test",
        )
        Backend.instance.save(user)
        group = models.Group(display_name="admins", members=[user])
        Backend.instance.save(group)
        for algorithm in given["algorithms"]:
            client = models.Client(
                client_id=f"app-{algorithm}",
                client_name=algorithm,
                client_secret="secret-of-the-test",
                client_uri=given["issuer"],
                redirect_uris=[f"{given['issuer']}/callback"],
                grant_types=["password"],
                response_types=["code"],
                scope=["openid", "profile", "groups"],
                token_endpoint_auth_method="client_secret_basic",
                id_token_signed_response_alg=algorithm,
            )
            Backend.instance.save(client)
            client.audience = [client]
            Backend.instance.save(client)


def main() -> None:
    """Serve as the settings file says."""
    given = json.loads(Path(sys.argv[1]).read_text())
    active, *inactive = given["generations"]
    app = canaille.create_app(
        config={
            "SECRET_KEY": "a-secret-of-the-test-that-is-long-enough",
            "SERVER_NAME": given["issuer"].partition("//")[2],
            "PREFERRED_URL_SCHEME": given["issuer"].partition(":")[0],
            "CANAILLE": {"DATABASE": "memory", "LOGGING": None},
            "CANAILLE_OIDC": {
                "ACTIVE_JWKS": active,
                "INACTIVE_JWKS": [key for one in inactive for key in one],
                "USERINFO_MAPPING": {"SUB": "{{ user.user_name }}"},
            },
        }
    )
    with app.app_context():
        _fill(given)
    serve(app, given)


if __name__ == "__main__":
    main()
