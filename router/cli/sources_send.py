"""``sources send``: posts a sample of a monitoring system's payload in the way that the system would."""

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib import parse

import msgspec
import pydantic
import typer

from router import configuration
from router.bootstrap import factories
from router.cli import completion, startup, terminal
from router.domain import alerts
from router.outbound import client, errors
from router.sources import base, proof, registry, samples
from router.web import request_limits

_SECONDS = 10.0
_TEST = request_limits.TEST.decode()


def send(
    kind: Annotated[
        str, typer.Argument(help="A kind of source, as `sources kinds` shows it.", autocompletion=completion.kinds)
    ],
    *,
    to: Annotated[str, typer.Option("--to", help="URL of the webhook: `https://HOST/v1/webhooks/NAME`.")],
    resolved: Annotated[bool, typer.Option("--resolved", help="Send the end of the sample's alert.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would happen. The router stores nothing.")
    ] = False,
    secret_env: Annotated[
        str, typer.Option("--secret-env", help="The variable with the secret, sent as `sources snippet` shows.")
    ] = "",
    bearer_env: Annotated[str, typer.Option("--bearer-env", help="The variable with a bearer token.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the router's response as JSON.")] = False,
) -> None:
    """Send a sample alert to a router as a test, and show what it opens.

    A test never reaches a public page. It does open incidents elsewhere: --dry-run shows where, --resolved ends them.
    """
    startup.check_known("kind", kind, registry.KINDS)
    address = parse.urlsplit(to)
    if address.scheme not in {"http", "https"} or not address.netloc:
        raise startup.usage(f'"{to}" is not the URL of a webhook, such as https://HOST/v1/webhooks/NAME')
    status: alerts.Status = "resolved" if resolved else "firing"
    now, identity = factories.clock(), factories.new_id()
    body = samples.body(kind, status, now, identity)
    source_config = _make_config(kind, secret_env, bearer_env)
    proven = (
        proof.authenticate(source_config, body, now, identity)
        if source_config is not None
        else proof.Proven(body, {}, {})
    )
    # Nothing was added, so the kind's signature needs a key that only the sender has.
    if source_config is not None and proven == (body, {}, {}):
        raise startup.usage(
            f"only the sender can sign deliveries of kind {kind}: use a source with another authentication"
        )
    # The header of the test comes last: without it, the sample would be a real alert.
    marked = proven._replace(headers={**proven.headers, _TEST: "dry-run" if dry_run else "true"})
    startup.run_until_stopped(_post(address, marked, kind, as_json=as_json))


def _make_config(kind: str, secret_env: str, bearer_env: str) -> base.Config | None:
    """Return the settings of a source that expects the given credential; None if none is given."""
    if secret_env and bearer_env:
        raise startup.usage("--secret-env and --bearer-env can't be combined")
    if bearer_env:
        # A bearer token works at every kind, also if the snippet of the kind configures another authentication.
        return registry.KINDS[kind].config(kind=kind, bearer=(pydantic.SecretStr(_secret(bearer_env)),))
    return _load_snippet(kind, secret_env) if secret_env else None


def _load_snippet(kind: str, secret_env: str) -> base.Config:
    """Return the source as its snippet configures it, with this secret."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / configuration.DEFAULT_FILE
        file.write_text(samples.settings(kind, kind), encoding="utf-8")
        try:
            return configuration.load(file, {samples.variable(kind): _secret(secret_env)}).sources[kind]
        except configuration.InvalidConfiguration as refused:
            raise startup.usage(f"{secret_env}: {refused.problems[0].message}") from None


def _secret(variable: str) -> str:
    value = os.environ.get(variable, "")
    if not value:
        raise startup.usage(f"the environment variable {variable} is not set")
    return value


async def _post(address: parse.SplitResult, proven: proof.Proven, kind: str, *, as_json: bool) -> None:
    caller = client.Client(
        name=kind,
        base_url=f"{address.scheme}://{address.netloc}",
        headers=proven.headers,
        timeout_seconds=_SECONDS,
        now=factories.clock,
        # The client masks these values in errors, where a response may repeat them.
        secrets=[value for name, value in proven.headers.items() if name != _TEST] + list(proven.query.values()),
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
    problem = answer.body if isinstance(answer.body, dict) else {}
    if as_json:
        terminal.write_json(msgspec.json.format(msgspec.json.encode(answer.body)))
    else:
        print("\n".join(map(terminal.plain, _describe_effects(problem))))
    # The router returns 202 for some unreadable bodies as well, so the status alone doesn't show success.
    if "quarantined" in problem:
        print(
            "incident-router: the router accepted the sample, but could not parse it: does the source have this kind?",
            file=sys.stderr,
        )
        raise typer.Exit(1)
    # A version that ignores the header has treated the sample as a real alert, which the operator must know.
    if not all(alert.get("test") for alert in problem.get("alerts", ())):
        print(
            "incident-router: the router did not treat the sample as a test: is it an older version?", file=sys.stderr
        )
        raise typer.Exit(1)


def _describe_effects(answer: Mapping[str, Any]) -> Iterator[str]:
    """Yield the effects of a sample, from the router's response."""
    if answer.get("dry_run"):
        yield "dry run: the router stored nothing"
    elif answer.get("delivery"):
        yield f"accepted as a test: delivery {answer['delivery']}"
    if not answer.get("alerts") and "quarantined" not in answer:
        yield f"the payload makes no alert: {answer.get('about', {}).get('no_alert', 'it has none')}"
    for alert in answer.get("alerts", ()):
        yield ""
        yield f"{alert.get('title') or alert['fingerprint']}  {alert['status']}"
        yield from _describe_alert(alert)
    for notice in answer.get("notices", ()):
        yield f"  {notice['code']}: {notice['where']}: {notice['detail']}"


def _describe_alert(alert: Mapping[str, Any]) -> Iterator[str]:
    # No rule opens anything for an ignored alert, so it has no incident and no destinations.
    if "ignored" in alert:
        yield f"  ignored:   {alert['ignored']}"
        return
    # A test is never public, so pages are listed separately from the destinations where it opens.
    hidden = [target["destination"] for target in alert["targets"] if target["public"]]
    others = [target["destination"] for target in alert["targets"] if not target["public"]]
    yield f"  rule:      {alert['rule']} ({alert['place']})"
    yield f"  incident:  {alert['incident_key']}, {alert['severity']}"
    if alert["muted_by"]:
        yield f"  muted by:  {alert['muted_by']}"
    verb = "opens at" if alert["status"] == "firing" else "ends at"
    yield f"  {verb + ':':<10} {', '.join(others) or 'no destination'}"
    if hidden:
        yield f"  public:    not shown at {', '.join(hidden)}, because it is a test"


def _read_problem(_: int, answered: Any, __: Mapping[str, str]) -> client.VendorMessage:
    detail = answered.get("detail") if isinstance(answered, dict) else None
    return client.VendorMessage(detail if isinstance(detail, str) else "")
