"""GitHub Actions and GitLab CI: the token of a job, under an issuer that all customers share."""

from __future__ import annotations

import re
from typing import Final, Unpack

from .._core import settings
from .._core.provider import Provider
from .._core.unchecked import Unchecked
from ..errors import ConfigurationError
from ._identifiers import host as bare_host
from ._make import make
from ._options import OptionsBesideAudience

__all__ = ["github_actions", "gitlab"]

_ACTIONS: Final = "https://token.actions.githubusercontent.com"
_REPOSITORY: Final = re.compile(r"[A-Za-z0-9-]+/[A-Za-z0-9._-]+")
_PROJECT: Final = re.compile(r"[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)+")


def github_actions(
    *,
    repository: str | tuple[str, ...],
    audience: str | tuple[str, ...] | Unchecked,
    **options: Unpack[OptionsBesideAudience],
) -> Provider:
    """Tokens of GitHub Actions jobs in repositories of yours. Everybody on GitHub has this issuer.

    Arguments:
        repository: ``owner/name``, one or several.
        audience: what the job asks for; by default GitHub says ``https://github.com/{owner}``.
        options: any other field of `Provider`; ``claim_values={"ref": "refs/heads/main"}`` for one
            branch: without it a job of any branch and pull request of the repository is accepted.

    Checked against: GitHub's documentation on OpenID Connect.
    Not known: a repository that was renamed or given away. ``repository_id`` does not change.
    """
    return make(
        options,
        name="github_actions",
        jwks_url=f"{_ACTIONS}/.well-known/jwks",
        issuer=_ACTIONS,
        audience=audience,
        algorithms=("RS256",),
        claim_values={"repository": _paths("repository", repository, _REPOSITORY, "owner/name")},
    )


def gitlab(
    host: str = "gitlab.com",
    *,
    audience: str | tuple[str, ...] | Unchecked,
    project_path: str | tuple[str, ...],
    **options: Unpack[OptionsBesideAudience],
) -> Provider:
    """ID tokens of GitLab CI jobs in projects of yours.

    Arguments:
        host: the instance, a bare host.
        audience: what ``id_tokens: aud`` of the job says.
        project_path: ``group/project``, one or several.
        options: any other field of `Provider`; ``claim_values={"ref_protected": "true"}`` for
            protected branches and tags only.

    Checked against: GitLab's documentation on ID tokens.
    Not known: a project that was moved. ``project_id`` does not change.
    """
    site = f"https://{bare_host('host', host, 'the instance')}"
    return make(
        options,
        name="gitlab",
        jwks_url=f"{site}/oauth/discovery/keys",
        issuer=site,
        audience=audience,
        algorithms=("RS256",),
        claim_values={
            "project_path": _paths("project_path", project_path, _PROJECT, "group/project")
        },
    )


def _paths(
    field: str, value: str | tuple[str, ...], pattern: re.Pattern[str], what: str
) -> frozenset[str]:
    several = settings.one_or_more(field, value)
    if not all(pattern.fullmatch(one) for one in several):
        raise ConfigurationError(field, f"takes {what}, one or several, without a host or wildcard")
    return frozenset(several)
