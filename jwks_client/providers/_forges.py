"""GitHub Actions and GitLab CI: the token of a job, from an issuer that all customers share."""

from __future__ import annotations

import re
from typing import Any, Final, Unpack

from .._core.provider import Check, Provider
from .._core.unchecked import UNCHECKED, Unchecked, restriction
from ..errors import ConfigurationError
from ._checks import ClaimBelow, ClaimWithoutCase
from ._identifiers import matching, segment, site
from ._make import make
from ._options import OptionsExceptAudience

__all__ = ["github_actions", "gitlab"]

_GITHUB: Final = "github.com"
_ACTIONS: Final = "https://token.actions.githubusercontent.com"
_OWNER: Final = re.compile(r"[A-Za-z0-9_-]+")
_REPOSITORY: Final = re.compile(r"[A-Za-z0-9_-]+/[A-Za-z0-9._-]+")
_NUMBER: Final = re.compile(r"[0-9]+")
_GROUP: Final = re.compile(r"[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)*")
_PROJECT: Final = re.compile(r"[A-Za-z0-9._-]+(?:/[A-Za-z0-9._-]+)+")


def github_actions(
    *,
    repository: str | tuple[str, ...] | Unchecked,
    audience: str | tuple[str, ...] | Unchecked,
    repository_id: str | tuple[str, ...] | Unchecked = UNCHECKED,
    owner: str | tuple[str, ...] | Unchecked = UNCHECKED,
    enterprise: str | Unchecked = UNCHECKED,
    host: str = _GITHUB,
    **options: Unpack[OptionsExceptAudience],
) -> Provider:
    """Return the provider of tokens of GitHub Actions jobs in your repositories.

    All of GitHub has the same issuer, so only the repository, its id or its owner distinguishes
    your jobs from others. All values that you pass must match. Names are compared
    case-insensitively, as on GitHub. Jobs of all branches and pull requests of a repository are
    accepted unless you require more, such as ``claim_values={"ref": "refs/heads/main"}``.

    Arguments:
        repository: ``owner/name``, one or several. ``UNCHECKED`` accepts every repository, so give
            ``repository_id`` or ``owner`` then.
        audience: the audience that the job requests; GitHub's default is
            ``https://github.com/{owner}``.
        repository_id: the number of the repository, one or several, as text. It stays the same when
            a repository is renamed, and protects against someone who registers the old name.
        owner: the organization or user, one or several (``repository_owner``).
        enterprise: the slug of an enterprise with its own issuer (``include_enterprise_slug``);
            its tokens are refused without it.
        host: ``github.com``; ``SUBDOMAIN.ghe.com`` with data residency; or the host of your own
            GitHub Enterprise Server, with its port if it has one.
        options: any other field of `Provider`.

    Limits: a job that was re-run, or whose workflow changed, is accepted; see ``job_workflow_ref``.
    Checked against: docs.github.com/en/enterprise-cloud@latest/actions/reference/security/oidc and
    github/docs (enterprise issuers, Enterprise Server, ghe.com), 2026-11-29.
    """
    rules: list[Check] = []
    for claim, field, value, pattern, what in (
        ("repository", "repository", repository, _REPOSITORY, "owner/name"),
        ("repository_owner", "owner", owner, _OWNER, "the name of an organization or user"),
    ):
        names = matching(field, value, pattern, f"{what} without a host or wildcard")
        if names is not UNCHECKED:
            rules.append(ClaimWithoutCase(claim, frozenset(one.lower() for one in names)))
    numbers = matching("repository_id", repository_id, _NUMBER, "the number of a repository")
    issuer = _actions_issuer(host, enterprise)
    return make(
        options,
        name="github_actions",
        jwks_url=f"{issuer}/.well-known/jwks",
        issuer=issuer,
        audience=audience,
        algorithms=("RS256",),
        claim_values={} if numbers is UNCHECKED else {"repository_id": numbers},
        checks=rules,
    )


def gitlab(
    host: str = "gitlab.com",
    *,
    audience: str | tuple[str, ...] | Unchecked,
    project_path: str | tuple[str, ...] | Unchecked,
    project_id: str | tuple[str, ...] | Unchecked = UNCHECKED,
    group: str | tuple[str, ...] | Unchecked = UNCHECKED,
    **options: Unpack[OptionsExceptAudience],
) -> Provider:
    """Return the provider of ID tokens of GitLab CI jobs in your projects.

    All of gitlab.com has the same issuer, so only the project, its id or its group distinguishes
    your jobs from others. All values that you pass must match. Jobs of all branches are accepted
    unless you require more: ``claim_values={"ref_protected": "true"}`` for protected branches and
    tags only.

    Arguments:
        host: the host of the instance, with the port and path of your installation if it has them.
        audience: the value of ``id_tokens: aud`` of the job.
        project_path: ``group/project``, one or several. ``UNCHECKED`` accepts every project, so
            give ``project_id`` or ``group`` then.
        project_id: the number of the project, one or several, as text; it stays the same when a
            project is moved.
        group: ``group`` or ``group/subgroup``, one or several: the projects in it and in the groups
            below it (``namespace_path``).
        options: any other field of `Provider`.

    Limits: for a merge request from a fork, the claims name the fork, not the project in which the
    pipeline ran.
    Checked against: docs.gitlab.com/ci/secrets/id_token_authentication and GitLab issue 563038,
    2026-11-29.
    """
    where = site("host", host, "the instance")
    values: dict[str, Any] = {}
    for claim, value, pattern, what in (
        ("project_path", project_path, _PROJECT, "group/project without a host or wildcard"),
        ("project_id", project_id, _NUMBER, "the number of a project"),
    ):
        accepted = matching(claim, value, pattern, what)
        if accepted is not UNCHECKED:
            values[claim] = accepted
    groups = matching("group", group, _GROUP, "the path of a group without a host or wildcard")
    return make(
        options,
        name="gitlab",
        jwks_url=f"{where}/oauth/discovery/keys",
        issuer=where,
        audience=audience,
        algorithms=("RS256",),
        claim_values=values,
        checks=() if groups is UNCHECKED else (ClaimBelow("namespace_path", groups),),
    )


def _actions_issuer(host: str, enterprise: str | Unchecked) -> str:
    if restriction("enterprise", enterprise) is not UNCHECKED:
        if host != _GITHUB:
            raise ConfigurationError(
                "enterprise", "must be omitted if host is not github.com; give issuer"
            )
        what = "the slug of the enterprise, or providers.UNCHECKED for github.com's own issuer,"
        return f"{_ACTIONS}/{segment('enterprise', enterprise, what)}"
    if host == _GITHUB:
        return _ACTIONS
    where = site("host", host, "the host of GitHub")
    if where.endswith(".ghe.com"):
        return where.replace("https://", "https://token.actions.", 1)
    return f"{where}/_services/token"
