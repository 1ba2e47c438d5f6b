"""The commands ``callback list``, ``callback succeed`` and ``callback fail``."""

from __future__ import annotations

from operator import itemgetter
from typing import Annotated, Any
from uuid import uuid4

import typer

from sagelocal.cli.configuration import settings_of
from sagelocal.cli.neighbour import ask, ask_all
from sagelocal.cli.options import AsJson, Config, Home
from sagelocal.cli.output import moment, say, say_json
from sagelocal.clock import iso
from sagelocal.errors import UsageError
from sagelocal.names import execution_id

callback = typer.Typer(no_args_is_help=True, help="See and answer the Callback steps of a running engine.")

Token = Annotated[str, typer.Argument(metavar="TOKEN", help="The step's token, from its message or `list`.")]


@callback.command("list")
def list_(config: Config = None, home: Home = None, as_json: AsJson = False) -> None:
    """List the Callback steps that wait for an answer, longest first."""
    answers = ask_all(settings_of(config, home).home, "Sagelocal.ListAwaitedCallbacks", {})
    found = sorted((each for answer in answers for each in answer["Callbacks"]), key=itemgetter("Since"))
    if as_json:
        say_json([_document(each) for each in found])
        return
    for each in found:
        where = f"{each['StepName']} of execution {execution_id(each['PipelineExecutionArn'])}"
        say(f"{each['CallbackToken']}  {where}")
        say(f"  since {moment(each['Since'])} · {each['SqsQueueUrl']}", "dim")
    if not found:
        say("No step waits for an answer.")


@callback.command()
def succeed(
    token: Token,
    output: Annotated[
        list[str] | None,
        typer.Option("-o", "--output", metavar="NAME=VALUE", help="An output parameter; can be repeated."),
    ] = None,
    config: Config = None,
    home: Home = None,
) -> None:
    """Let a Callback step succeed, with its outputs."""
    outputs = [{"Name": name, "Value": value} for name, value in map(_pair, output or [])]
    _answer("SendPipelineExecutionStepSuccess", token, {"OutputParameters": outputs}, config, home)


@callback.command()
def fail(
    token: Token,
    reason: Annotated[
        str, typer.Option(metavar="TEXT", help="Why; at most 256 characters.", show_default=False)
    ] = "",
    config: Config = None,
    home: Home = None,
) -> None:
    """Let a Callback step fail."""
    _answer("SendPipelineExecutionStepFailure", token, {"FailureReason": reason}, config, home)


def _answer(operation: str, token: str, given: dict[str, Any], config: Config, home: Home) -> None:
    request = {"CallbackToken": token, "ClientRequestToken": str(uuid4()), **given}
    answer = ask(settings_of(config, home).home, f"SageMaker.{operation}", request)
    say(f"Answered: execution {execution_id(answer['PipelineExecutionArn'])} has it.")


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        message = f"-o {text}: write -o Name=Value"
        raise UsageError(message)
    return name, value


def _document(each: dict[str, Any]) -> dict[str, Any]:
    return {
        "token": each["CallbackToken"],
        "execution": each["PipelineExecutionArn"],
        "step": each["StepName"],
        "queue": each["SqsQueueUrl"],
        "since": iso(each["Since"]),
    }
