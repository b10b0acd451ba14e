"""No missing, empty or blank setting switches a check off, in any factory or parameter.

Factories and parameters are found by introspection, so a new one is checked without being named here.
"""

import inspect
import typing

import click
import pytest

from jwks_client import providers
from jwks_client.cli._presets import provider_of
from jwks_client.errors import ConfigurationError
from jwks_client.providers import UNCHECKED
from jwks_client.testing._shapes.known import _YOURS

FACTORIES = [name for name in providers.__all__ if inspect.isfunction(getattr(providers, name))]

# The values that an unset environment variable gives, alone or in a collection.
UNSET = (None, "", " ", "\t\r\n", (), [], frozenset(), (None,), [""], ["", " "], ["api", ""])

# None, where it means "derive it" or "the field's own default".
ALLOWED = {
    "app_id": (None,),
    "domain": (None,),
    "project_domain": (None,),
    "region": (None,),
    "tenant": (None,),
    ("wso2", "issuer"): (None,),
}


def parameters(factory):
    """Return every parameter of a factory and every restricting field of Provider, with its type."""
    signature = inspect.signature(getattr(providers, factory), eval_str=True)
    found = {}
    for one in signature.parameters.values():
        if one.kind is inspect.Parameter.VAR_KEYWORD:
            fields = typing.get_type_hints(typing.get_args(one.annotation)[0])
            found |= {name: fields[name] for name in ("issuer", "audience") if name in fields}
        else:
            found[one.name] = one.annotation
    return found


def is_allowed(factory, parameter, value):
    """Return whether a parameter may have this value."""
    allowed = ALLOWED.get((factory, parameter), ALLOWED.get(parameter, ()))
    return any(value == one and type(value) is type(one) for one in allowed)


PARAMETERS = [(factory, parameter) for factory in FACTORIES for parameter in parameters(factory)]


def made(factory, **changes):
    """Return the provider that a factory makes of invented ids, with some of its arguments changed."""
    given = {**_YOURS[factory], **changes}
    return getattr(providers, factory)(**given)


@pytest.mark.parametrize(("factory", "parameter"), PARAMETERS)
def test_the_value_of_an_unset_variable_is_refused(factory, parameter):
    """An unset, empty or blank variable is an error that names the parameter, and the alternative if it has one."""
    way_out = "UNCHECKED" if "UNCHECKED" in repr(parameters(factory)[parameter]) else ""
    for value in UNSET:
        if is_allowed(factory, parameter, value):
            continue
        with pytest.raises(ConfigurationError) as error:
            made(factory, **{parameter: value})
        assert error.value.field == parameter, value
        assert way_out in str(error.value), value


@pytest.mark.parametrize("factory", FACTORIES)
def test_unchecked_stands_alone(factory):
    """A collection that contains UNCHECKED would silently restrict nothing, so it is refused."""
    for parameter in parameters(factory):
        for value in ([UNCHECKED], ("api", UNCHECKED)):
            with pytest.raises(ConfigurationError) as error:
                made(factory, **{parameter: value})
            assert error.value.field == parameter


def test_none_is_allowed_where_it_means_derive_it():
    """None is allowed where leaving the parameter out has the same meaning."""
    wso2 = _YOURS["wso2"]
    assert providers.wso2(**wso2, issuer=None, tenant=None) == providers.wso2(**wso2)
    for factory in FACTORIES:
        signature = inspect.signature(getattr(providers, factory))
        for parameter, one in signature.parameters.items():
            if (
                one.default is None and parameter != "app_id"
            ):  # this parameter or domain names the host
                assert made(factory, **{parameter: None}) == made(factory)


@pytest.mark.parametrize("factory", FACTORIES)
@pytest.mark.parametrize("blank", ["", " "])
def test_a_blank_value_on_the_command_line_is_wrong_usage(factory, blank):
    """`audience=$API_AUDIENCE` with the variable unset is an error, never a skipped check."""
    for parameter in ("audience", "issuer"):
        if parameter in parameters(factory):
            with pytest.raises(click.UsageError):
                provider_of(factory, {**spelled(factory), parameter: [blank]})


def spelled(factory):
    """Return the invented arguments of a factory as on a command line."""
    return {
        name: [str(one) for one in (value if isinstance(value, (list, tuple)) else [value])]
        for name, value in _YOURS[factory].items()
    }
