"""Between Python values and JSON: what checks a type, and says by field what is wrong."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, PydanticUserError, TypeAdapter, ValidationError

from sheratan.contracts.errors import InvalidInput

__all__ = ["dump", "invalid", "make_adapter"]


def make_adapter(wanted: Any) -> TypeAdapter[Any]:
    """What checks and translates a type. NaN stays NaN, which the engine refuses by name, and does not become null."""
    try:
        return TypeAdapter(wanted, config=ConfigDict(ser_json_inf_nan="constants"))
    except PydanticUserError:
        # A model says for itself how it is written.
        return TypeAdapter(wanted)


def dump(adapter: TypeAdapter[Any], value: Any, root: str) -> Any:
    """A value of the adapter's type, or one that can be, as a JSON value."""
    try:
        return adapter.dump_python(adapter.validate_python(value), mode="json")
    except ValidationError as error:
        raise invalid(error, root) from error
    except ValueError as error:
        raise InvalidInput(str(error), field=root) from error


def invalid(error: ValidationError, root: str) -> InvalidInput:
    """The first thing that pydantic found wrong, by field."""
    first = error.errors(include_url=False)[0]
    path = "/".join(str(part) for part in first["loc"])
    more = error.error_count() - 1
    tail = f" (and {more} more)" if more else ""
    return InvalidInput(f"{first['msg']}{tail}", field=f"{root}/{path}" if path else root)
