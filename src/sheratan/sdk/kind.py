"""`@job`: a function becomes a kind of job."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import reduce
from operator import or_
from types import ModuleType, UnionType
from typing import (
    Any,
    Generic,
    Literal,
    TypedDict,
    TypeVar,
    Union,
    Unpack,
    get_args,
    get_origin,
    get_type_hints,
    overload,
)

import msgspec
from pydantic import ValidationError

from sheratan.contracts.budgets import ProposalBudget
from sheratan.contracts.code import versioned
from sheratan.contracts.errors import InvalidInput
from sheratan.contracts.flow import FlowLimits
from sheratan.contracts.groups import Collect
from sheratan.contracts.jobs import Criticality, KindDescription, Submission
from sheratan.contracts.values import convert
from sheratan.sdk.adapter import dump, invalid, make_adapter
from sheratan.sdk.code import code_digest
from sheratan.sdk.context import Context
from sheratan.sdk.options import SubmissionOptions, read_options

__all__ = ["Kind", "find_kinds", "job"]

Input = TypeVar("Input")
Output = TypeVar("Output")
Handler = Callable[..., Any]
Mode = Literal["async", "thread", "process"]

_JSON_ALREADY = (str, int, bool)
NO_INPUT: Any = inspect.Parameter.empty


class Kind(Generic[Input, Output]):
    """A kind of job: a handler, what it takes and gives, and how it is run. Calling it calls the handler."""

    def __init__(self, handler: Handler, description: KindDescription, mode: Mode) -> None:
        self.handler = handler
        self.mode = mode
        self.takes_context, input_type, output_type = _signature(handler)
        if description.collect is not None:
            input_type, output_type = _types_of_one(
                handler, input_type, output_type, takes_context=self.takes_context
            )
        self.takes_input = input_type is not NO_INPUT
        self._gives_nothing = output_type is type(None)
        self._input = make_adapter(input_type if self.takes_input else None)
        self._output = make_adapter(output_type)
        self.description = msgspec.structs.replace(
            description,
            input_schema=self._input.json_schema(),
            output_schema=self._output.json_schema(mode="serialization"),
            # Only async handlers have steps, and only steps can differ from what is recorded.
            code=code_digest(handler) if mode == "async" and self.takes_context else "",
        )
        # Taken out once: the adapter's own methods look at each of their options again, which takes twice as long.
        self._validate_input = self._input.validator.validate_json
        self._validate_output = self._output.validator.validate_python
        self.__doc__ = handler.__doc__
        self.__name__ = handler.__name__
        self.__module__ = handler.__module__

    @property
    def name(self) -> str:
        """The kind's name."""
        return self.description.name

    @property
    def version(self) -> int:
        """Which version of the kind it is."""
        return self.description.version

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call the handler itself, as a test does."""
        return self.handler(*arguments, **named)

    def __repr__(self) -> str:
        return f"<kind {versioned(self.name, self.version)}>"

    def submission(self, value: Any = None, **options: Unpack[SubmissionOptions]) -> Submission:
        """A job of this kind to be submitted, with an input and options (see `Options`)."""
        return Submission(kind=self.name, input=self.dump_input(value), options=read_options(options))

    def check_input(self, data: bytes) -> None:
        """Raise InvalidInput, naming the field, when the kind does not accept an input as JSON."""
        self.read_input(data)

    def read_input(self, data: bytes) -> Input:
        """The handler's input from JSON."""
        try:
            value: Input = self._validate_input(data)
        except ValidationError as error:
            raise invalid(error, "input") from error
        return value

    def dump_input(self, value: Any) -> Any:
        """An input, or something that can be one, as a JSON value."""
        if value is None or type(value) in _JSON_ALREADY:
            # The engine checks it against the kind; there is nothing to translate.
            return value
        return dump(self._input, value, "input")

    def dump_output(self, value: Any) -> Any:
        """The handler's output as a JSON value; one that is not of the declared type raises InvalidInput."""
        if value is None and self._gives_nothing:
            return None
        return dump(self._output, value, "output")

    def read_output(self, value: Any) -> Output:
        """The output from a JSON value."""
        output: Output = self._validate_output(value)
        return output


class KindDefaults(TypedDict, total=False):
    """How jobs of a kind are run unless a submission says otherwise; see `KindDescription` for what each means."""

    version: int
    queue: str
    priority: int
    attempts_max: int
    backoff_base_seconds: float
    backoff_max_seconds: float
    run_timeout_seconds: float
    queue_timeout_seconds: float | None
    deadline_seconds: float | None
    criticality: Criticality
    limits: FlowLimits
    collect: Collect
    proposals: ProposalBudget


@overload
def job(handler: Handler, /) -> Kind[Any, Any]: ...
@overload
def job(
    *, kind: str | None = None, cpu_bound: bool = False, **defaults: Unpack[KindDefaults]
) -> Callable[[Handler], Kind[Any, Any]]: ...


def job(
    handler: Handler | None = None,
    /,
    *,
    kind: str | None = None,
    cpu_bound: bool = False,
    **defaults: Unpack[KindDefaults],
) -> Any:
    """Make a function a kind of job.

    The handler is `async def handler(ctx: Context, input: Model) -> Output`; both parameters may be left out, and
    the types are any that pydantic knows. A plain `def` runs in a thread, or with `cpu_bound` in a process of its
    own, where its context only tells and cannot submit. Durations are in seconds; `priority` 0 runs first, 9 last;
    `limits` hold as long as nobody has set others for the kind. Handlers of the same `kind` with another `version`
    stand side by side: a job stays with the version that was the newest when it was submitted.

    With `collect` jobs start in groups: the handler is `async def handler(inputs: list[Model]) -> list[Output]`, one
    output for each input, in which an exception stands for a job that has failed. `proposals` bounds what may come of
    the jobs that the handler proposes.
    """

    def make(function: Handler) -> Kind[Any, Any]:
        unknown = sorted(defaults.keys() - KindDefaults.__annotations__.keys())
        if unknown:
            known = ", ".join(sorted(("kind", "cpu_bound", *KindDefaults.__annotations__)))
            text = f"there is no option {unknown[0]!r}; there are {known}"
            raise InvalidInput(text, field=f"@job of {function.__qualname__}")
        given = {"name": kind or function.__name__, "description": inspect.getdoc(function) or "", **defaults}
        try:
            description = convert(msgspec.to_builtins(given), KindDescription)
        except (InvalidInput, TypeError) as error:
            raise InvalidInput(str(error), field=f"@job of {function.__qualname__}") from error
        return Kind(function, description, _mode(function, cpu_bound=cpu_bound))

    return make if handler is None else make(handler)


def find_kinds(module: ModuleType) -> list[Kind[Any, Any]]:
    """The kinds that a module defines or imports, by name and version."""
    kinds = [value for value in vars(module).values() if isinstance(value, Kind)]
    found = {(kind.name, kind.version): kind for kind in kinds}
    return [found[name] for name in sorted(found)]


def _mode(function: Handler, *, cpu_bound: bool) -> Mode:
    if inspect.iscoroutinefunction(function):
        if cpu_bound:
            raise InvalidInput(
                "a CPU-bound handler is a plain def, since it runs in another process", field="cpu_bound"
            )
        return "async"
    return "process" if cpu_bound else "thread"


def _signature(handler: Handler) -> tuple[bool, Any, Any]:
    """Whether the handler takes a context, and the types of its input and output."""
    hints = get_type_hints(handler, include_extras=True)
    parameters = list(inspect.signature(handler).parameters.values())
    takes_context = bool(parameters) and hints.get(parameters[0].name) is Context
    rest = parameters[1:] if takes_context else parameters
    if len(rest) > 1:
        text = "a handler takes a context, `ctx: Context`, first, and one input at most"
        raise InvalidInput(text, field=handler.__qualname__)
    input_type = hints.get(rest[0].name, Any) if rest else NO_INPUT
    return takes_context, input_type, hints.get("return", Any)


def _types_of_one(
    handler: Handler, input_type: Any, output_type: Any, *, takes_context: bool
) -> tuple[Any, Any]:
    """The types of one job's input and output, of a handler of groups."""
    if takes_context or get_origin(input_type) is not list:
        raise InvalidInput(
            "a handler of collected jobs takes a list of inputs, and no context", field=handler.__qualname__
        )
    if output_type is not Any and get_origin(output_type) is not list:
        raise InvalidInput("a handler of collected jobs gives a list of outputs", field=handler.__qualname__)
    return get_args(input_type)[0], Any if output_type is Any else _of_one(get_args(output_type)[0])


def _of_one(output: Any) -> Any:
    """What a job gives; an exception in its place stands for its failure."""
    if get_origin(output) not in (Union, UnionType):
        return output
    return reduce(or_, (one for one in get_args(output) if not _is_exception(one)))


def _is_exception(one: Any) -> bool:
    return isinstance(one, type) and issubclass(one, Exception)
