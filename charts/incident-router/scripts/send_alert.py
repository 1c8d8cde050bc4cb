"""Posts one alert to the router as a sender does, and ends with 1 where the answer is not 202.

`helm test` runs it in the router's image, given the webhook's URL and the kind of its source; the credential is in
BEARER, or as user:password in BASIC. The alert is already resolved, so no rule opens an incident for it.
"""

import base64
import json
import os
import sys
import urllib.error
import urllib.request

ACCEPTED = 202
LABELS = {"alertname": "IncidentRouterHelmTest", "severity": "none"}
TITLE = "A test of the installation"
ALERT = {"status": "resolved", "labels": LABELS, "annotations": {"summary": TITLE}}
BODIES = {
    "alertmanager": {"version": "4", "status": "resolved", "receiver": "helm-test", "alerts": [ALERT]},
    "json": {"title": TITLE, "status": "resolved", "labels": LABELS},
}

url, kind = sys.argv[1:]
headers = {"Content-Type": "application/json"}
if bearer := os.environ.get("BEARER"):
    headers["Authorization"] = f"Bearer {bearer}"
elif basic := os.environ.get("BASIC"):
    headers["Authorization"] = f"Basic {base64.b64encode(basic.encode()).decode()}"
request = urllib.request.Request(url, json.dumps(BODIES[kind]).encode(), headers)  # noqa: S310 - the chart's own URL

try:
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - the chart's own URL
        status, said = answer.status, answer.read().decode()
except urllib.error.HTTPError as error:
    status, said = error.code, error.read().decode()
except OSError as error:
    sys.exit(f"{url} does not answer: {error}")

if status != ACCEPTED:
    sys.exit(f"{url} answered {status}, not {ACCEPTED}: {said}")
sys.stdout.write(f"{url} accepted an alert: {said}\n")
