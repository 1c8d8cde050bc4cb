"""``sources send``: a sample of what a monitoring system posts, posted as that system would."""

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib import parse

import msgspec
import pydantic
import typer

from router import settings as configuration
from router.assembly import parts
from router.cli import starting, terminal
from router.domain import alert as alerts
from router.outbound import client, errors
from router.sources import base, proof, registry, samples

_SECONDS = 10.0


def send(
    kind: Annotated[str, typer.Argument(help="A kind of source, as `sources kinds` shows it.")],
    *,
    to: Annotated[str, typer.Option("--to", help="The webhook's address: https://HOST/v1/webhooks/NAME.")],
    resolved: Annotated[bool, typer.Option("--resolved", help="The end of the sample's alert.")] = False,
    secret_env: Annotated[
        str, typer.Option("--secret-env", help="The variable with the secret, used as `sources snippet` has it.")
    ] = "",
    bearer_env: Annotated[str, typer.Option("--bearer-env", help="The variable with a bearer token.")] = "",
) -> None:
    """Post a sample alert to a router. Status 1 where it is not taken in. Most samples are labelled as tests."""
    starting.must_be_known("kind", kind, registry.KINDS)
    address = parse.urlsplit(to)
    if address.scheme not in {"http", "https"} or not address.netloc:
        raise starting.usage(f'"{to}" is no address of a webhook: https://HOST/v1/webhooks/NAME')
    status: alerts.Status = "resolved" if resolved else "firing"
    now, identity = parts.clock(), parts.new_id()
    body = samples.body(kind, status, now, identity)
    given = _given(kind, secret_env, bearer_env)
    proven = proof.of(given, body, now, identity) if given is not None else proof.Proven(body, {}, {})
    if given is not None and proven == (body, {}, {}):
        raise starting.usage(f"only the sender itself can sign for {kind}: send to a source that wants something else")
    starting.until_stopped(_post(address, proven, kind))


def _given(kind: str, secret_env: str, bearer_env: str) -> base.Config | None:
    """The settings of a source that wants what is given; None where nothing is."""
    if secret_env and bearer_env:
        raise starting.usage("--secret-env and --bearer-env exclude each other")
    if bearer_env:
        return registry.KINDS[kind].config(kind=kind, bearer=(pydantic.SecretStr(_secret(bearer_env)),))
    return _as_pasted(kind, secret_env) if secret_env else None


def _as_pasted(kind: str, secret_env: str) -> base.Config:
    """The source as its snippet configures it, with this secret."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / configuration.DEFAULT_FILE
        file.write_text(samples.settings(kind, kind), encoding="utf-8")
        try:
            return configuration.load(file, {samples.variable(kind): _secret(secret_env)}).sources[kind]
        except configuration.Refused as refused:
            raise starting.usage(f"{secret_env}: {refused.problems[0].message}") from None


def _secret(variable: str) -> str:
    value = os.environ.get(variable, "")
    if not value:
        raise starting.usage(f"the environment variable {variable} is not set")
    return value


async def _post(address: parse.SplitResult, proven: proof.Proven, kind: str) -> None:
    caller = client.Client(
        name=kind,
        base_url=f"{address.scheme}://{address.netloc}",
        headers=proven.headers,
        timeout_seconds=_SECONDS,
        now=parts.clock,
        secrets=[*proven.headers.values(), *proven.query.values()],
        read_error=_read_problem,
    )
    query = {**dict(parse.parse_qsl(address.query)), **proven.query}
    try:
        answer = await caller.call("POST", address.path or "/", json=msgspec.Raw(proven.body), query=query)
    except errors.Failure as failure:
        print(f"incident-router: {failure.message}", file=sys.stderr)
        raise typer.Exit(1) from None
    finally:
        await caller.aclose()
    print(answer.status)
    terminal.write_json(msgspec.json.format(msgspec.json.encode(answer.body)))
    if isinstance(answer.body, dict) and "quarantined" in answer.body:
        print("incident-router: it was taken in, but could not be read: is that source of this kind?", file=sys.stderr)
        raise typer.Exit(1)


def _read_problem(_: int, answered: Any, __: Mapping[str, str]) -> client.VendorMessage:
    said = answered.get("detail") if isinstance(answered, dict) else None
    return client.VendorMessage(said if isinstance(said, str) else "")
