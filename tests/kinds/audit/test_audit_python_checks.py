"""The Python rules, with the name resolution behind them."""

from __future__ import annotations

import textwrap

import pytest

from sheratan.kinds.audit.lines import Hit
from sheratan.kinds.audit.model import RuleId
from sheratan.kinds.audit.python_checks import check_python


def _hits(source: str, rule: RuleId) -> list[Hit]:
    return [hit for hit in check_python(textwrap.dedent(source)).hits if hit.rule == rule]


def _in_coroutine(imports: str, body: str) -> str:
    return f"{imports}\nasync def handler(arg):\n" + textwrap.indent(textwrap.dedent(body), "    ") + "\n"


@pytest.mark.parametrize(
    ("imports", "body"),
    [
        ("import time", "time.sleep(1)"),
        ("import time as t", "t.sleep(1)"),
        ("from time import sleep as nap", "nap(1)"),
        ("", "from time import sleep\nsleep(1)"),
        ("import requests", "return requests.get('x').json()"),
        ("import requests", "with requests.Session() as s:\n    s.post('x')"),
        ("import requests", "requests.Session().get('x')"),
        ("import urllib.request", "urllib.request.urlopen('x')"),
        ("from urllib.request import urlopen", "urlopen('x')"),
        ("import subprocess", "subprocess.run(['x'])"),
        ("from subprocess import check_output", "check_output(['x'])"),
        ("import socket", "s = socket.socket()\ns.connect(('x', 1))"),
        ("import socket", "socket.create_connection(('x', 1))"),
        ("import sqlite3", "sqlite3.connect('x')"),
        ("import os", "os.system('x')"),
        ("", "input()"),
        ("import time, asyncio", "await asyncio.gather(*[time.sleep(1) for _ in arg])"),
        ("try:\n    import requests\nexcept ImportError:\n    requests = None", "requests.get('x')"),
        ("import time", "class A:\n    time.sleep(1)"),
        ("import time", "def inner(x=time.sleep(1)): ..."),
    ],
)
def test_a_blocking_call_in_a_coroutine_is_found(imports: str, body: str) -> None:
    assert len(_hits(_in_coroutine(imports, body), "py-blocking-call")) == 1


@pytest.mark.parametrize(
    ("imports", "body"),
    [
        ("import asyncio", "await asyncio.sleep(1)"),
        ("from asyncio import sleep", "await sleep(1)"),
        ("import time", "def inner():\n    time.sleep(1)\nreturn inner"),
        ("import time", "return lambda: time.sleep(1)"),
        ("import asyncio, time", "await asyncio.to_thread(time.sleep, 1)"),
        ("import time", "await arg.run_in_executor(None, time.sleep, 1)"),
        ("import time", "time = arg\ntime.sleep(1)"),
        ("", "requests.get('x')"),
        ("from .compat import requests", "requests.get('x')"),
        ("from mylib import requests", "await requests.get('x')"),
        ("import requests", "requests.Request('GET', 'x')"),
        ("import socket", "s = socket.socket()\ns.setblocking(False)\ns.connect(('x', 1))"),
        ("import aiohttp", "async with aiohttp.ClientSession() as s:\n    await s.get('x')"),
        ("def input(): ...", "input()"),
    ],
)
def test_a_call_that_does_not_block_the_loop_is_left_alone(imports: str, body: str) -> None:
    assert _hits(_in_coroutine(imports, body), "py-blocking-call") == []


def test_a_parameter_hides_the_module_of_the_same_name() -> None:
    assert _hits("import requests\nasync def f(requests):\n    requests.get('x')\n", "py-blocking-call") == []


def test_a_method_named_like_a_builtin_does_not_hide_the_builtin() -> None:
    source = "class A:\n    def open(self): ...\nasync def f():\n    open('x')\n"
    assert len(_hits(source, "py-blocking-file")) == 1


@pytest.mark.parametrize("call", ["open('x')", "io.open('x')", "arg.read_text()"])
def test_file_access_in_a_coroutine_is_found(call: str) -> None:
    assert len(_hits(_in_coroutine("import io", call), "py-blocking-file")) == 1


@pytest.mark.parametrize(
    "call", ["await arg.read_text()", "async with open('x'): ...", "await arg.run(open, 'x')"]
)
def test_awaited_file_access_is_left_alone(call: str) -> None:
    assert _hits(_in_coroutine("", call), "py-blocking-file") == []


def test_a_coroutine_inside_a_method_is_named_in_full() -> None:
    source = """
    import time
    class A:
        def f(self):
            async def g():
                time.sleep(1)
    """
    (hit,) = _hits(source, "py-blocking-call")
    assert hit.line == 6
    assert "A.f.g" in hit.message


def test_complexity_counts_branches_but_not_nested_functions() -> None:
    source = """
    def f(x):
        def g(y):
            if y:
                return 1
        for a in x:
            if a and x or a:
                continue
            elif x:
                break
        else:
            pass
        while x:
            try:
                x = 1 if x else 2
            except KeyError:
                pass
            except ValueError:
                pass
            else:
                pass
        match x:
            case 1:
                pass
            case _:
                pass
    """
    facts = check_python(textwrap.dedent(source))
    assert (facts.functions, facts.complexity_max, facts.complexity_total) == (2, 9, 11)


@pytest.mark.parametrize(
    ("branches", "rules"), [(9, []), (10, ["py-complexity"]), (20, ["py-complexity-severe"])]
)
def test_complexity_is_judged_by_its_limits(branches: int, rules: list[RuleId]) -> None:
    source = "async def f(x):\n" + "    if x: pass\n" * branches
    assert [hit.rule for hit in check_python(source).hits] == rules


@pytest.mark.parametrize("body", ["pass", "...", "'reason'"])
def test_discarding_every_exception_is_found(body: str) -> None:
    for caught in ("Exception", "BaseException as e", "(KeyError, Exception)"):
        source = f"try:\n    f()\nexcept {caught}:\n    {body}\n"
        assert len(_hits(source, "py-swallowed-exception")) == 1


def test_a_handler_that_does_something_is_left_alone() -> None:
    assert _hits("try:\n    f()\nexcept Exception:\n    log()\n", "py-swallowed-exception") == []


@pytest.mark.parametrize("default", ["[]", "{}", "{1}"])
def test_a_mutable_default_is_found(default: str) -> None:
    assert len(_hits(f"def f(a, b={default}): ...\n", "py-mutable-default")) == 1
    assert len(_hits(f"def f(a, *, b={default}): ...\n", "py-mutable-default")) == 1


@pytest.mark.parametrize(
    "source", ["def f(:\n", "print 'x'\n", "x = '\0'\n", "(" * 5000, "x = " + "-" * 100_000 + "1"]
)
def test_source_that_cannot_be_parsed_is_an_informative_hit(source: str) -> None:
    assert [hit.rule for hit in check_python(source).hits] == ["py-syntax-error"]


def test_the_text_of_a_syntax_error_is_not_repeated() -> None:
    (hit,) = check_python("x = 'unclosed hunt3r22\n").hits
    assert "hunt3r22" not in hit.message + hit.evidence


def test_deeply_chained_source_is_analysed_without_recursion() -> None:
    chain = "if x: pass\n" + "elif x: pass\n" * 150
    source = "def f(x):\n" + textwrap.indent(chain, "    ")
    assert check_python(source).complexity_max == 152


def test_an_unusual_escape_in_the_source_gives_no_warning(recwarn: pytest.WarningsRecorder) -> None:
    assert check_python("x = '\\d'\n").hits == ()
    assert len(recwarn) == 0
