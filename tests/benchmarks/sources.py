"""Time to verify and parse a delivery of one alert, for every kind of source, against only decoding it.

    python tests/benchmarks/sources.py --json FILE

Each kind gets its own sample with the authentication of its snippet. "signed" are samples of the kind json under the
scheme that signs the most data. Every delivery has new times, so that caches don't help. Verifying and parsing are
the work of the webhook server between a request's last byte and the rules. Decoding the same bytes with msgspec takes
turns with it. The results are medians of the batches, in microseconds of processor time per delivery. No figure fails
the run.
"""

import asyncio
import gc
import pathlib
import statistics
import sys
import tempfile
import time
from urllib import parse

import msgspec

sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))

from router import configuration
from router.sources import proof, registry, samples
from tests import sample_secrets
from tests.benchmarks import amazon, figures

BATCH = 200
BATCHES = 20
QUICK_BATCHES = 3
GOAL = 60.0
NOW = 1_893_456_000_000_000
SIGNED = {
    "kind": "json",
    "signature": {"scheme": "standard-webhooks", "secrets": [sample_secrets.ENCODED]},
}


def build_source(kind):
    """Return the source of the kind's snippet."""
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "incident-router.yaml"
        file.write_text(samples.settings(kind, kind))
        return configuration.load(file, {samples.variable(kind): sample_secrets.get_secret(kind)}).sources[kind]


def deliveries(config, first):
    """Return a batch of new deliveries: headers, query, body, and time of receipt."""
    made = []
    for now in range(NOW + first * 1_000_000, NOW + (first + BATCH) * 1_000_000, 1_000_000):
        body = samples.body(config.kind, "firing", now, f"delivery-{now}")
        if getattr(config, "topics", ()):
            body = amazon.sign(body)
        shown = proof.authenticate(config, body, now, f"delivery-{now}")
        headers = {name.lower().encode(): value.encode() for name, value in shown.headers.items()}
        made.append((headers, parse.urlencode(shown.query).encode(), shown.body, now))
    return made


def take(endpoint, batch):
    """Verify and parse each delivery like the webhook server."""
    token, signature = endpoint.token, endpoint.signature
    for headers, query, body, now in batch:
        let_in = endpoint.verifier.accepts(headers.get(b"authorization"))
        if token is not None:
            let_in &= token.accepts_body(body) if token.in_body else token.accepts(headers, query)
        if signature is not None:
            let_in &= not signature.problem(headers, body, now)
        if endpoint.verification is not None:
            amazon.run_at_once(endpoint.verification.verify(body, now))
        if not let_in or len(endpoint.source.parse(body, headers, now).alerts) != 1:
            raise SystemExit(f"{endpoint.name}: a delivery was not let in, or is not one alert")


def decode(batch):
    """Decode each body, and discard the result."""
    for _, _, body, _ in batch:
        msgspec.json.decode(body)


def measure_time(work, *given):
    """Microseconds of processor time per delivery, so that other processes don't count."""
    begun = time.process_time()
    work(*given)
    return (time.process_time() - begun) / BATCH * 1e6


def measure_row(name, config, batches):
    """Measure one row of the report."""
    endpoint = registry.build(name, config, amazon.fetch)
    if endpoint.verification is not None:  # Warm-up: the certificate is fetched once.
        _, _, body, now = deliveries(config, 0)[0]
        asyncio.run(endpoint.verification.verify(body, now))
    take(endpoint, deliveries(config, 0))
    gc.collect()
    whole, bare = [], []
    for number in range(1, batches + 1):
        batch = deliveries(config, number * BATCH)
        whole.append(measure_time(take, endpoint, batch))
        bare.append(measure_time(decode, batch))
    row = {"source": name, "bytes": len(deliveries(config, 0)[0][2])}
    row |= {"us a delivery": round(statistics.median(whole), 2), "bare us": round(statistics.median(bare), 2)}
    row["ratio"] = round(row["us a delivery"] / row["bare us"], 1)
    return row | {"goal us": GOAL, "reached": "yes" if row["us a delivery"] <= GOAL else "no"}


def run(batches):
    """Measure everything and return it as data."""
    rows = [measure_row(kind, build_source(kind), batches) for kind in registry.KINDS]
    rows.append(measure_row("signed", registry.KINDS["json"].config(**SIGNED), batches))
    return {"benchmark": "microseconds to verify and read a delivery of one alert", "rows": rows}


def main():
    """Measure, print, and write the result to the requested file."""
    arguments = figures.parse_arguments(__doc__, "few batches")
    figures.report(run(QUICK_BATCHES if arguments.quick else BATCHES), arguments.json)


if __name__ == "__main__":
    main()
