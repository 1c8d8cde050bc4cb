"""A wrong value is refused before anything is installed, by a message that names it."""

import copy
import re

import pytest

from tests.chart import helm

ALERTMANAGER = {"alertmanager": {"kind": "alertmanager", "bearer": [{"env": "WEBHOOK_TOKEN"}]}}

# What the schema says: by the kind of mistake, values and what the message has to name.
BY_SCHEMA = {
    "an unknown value": ({"replicas": 2}, "replicas"),
    "an unknown value of a process": ({"web": {"replica": 2}}, "replica"),
    "an unknown value of Valkey": ({"valkey": {"replicas": 3}}, "replicas"),
    "an unknown mode": ({"mode": "both"}, r"mode.*\n?.*separate"),
    "replicas below none": ({"worker": {"replicas": -1}}, "worker.replicas"),
    "replicas as text": ({"web": {"replicas": "2"}}, "web.replicas"),
    "when to fetch images": ({"image": {"pullPolicy": "Sometimes"}}, "image.pullPolicy"),
    "an image without a name": ({"image": {"repository": ""}}, "image.repository"),
    "a pull secret without a name": ({"imagePullSecrets": [{}]}, "imagePullSecrets.0"),
    "resources of an unknown sort": ({"web": {"resources": {"limit": {}}}}, "web.resources"),
    "a password in the Redis URL": ({"redis": {"url": "redis://:secret@redis:6379"}}, "redis.url"),
    "an address that is no Redis URL": ({"redis": {"url": "redis:6379"}}, "redis.url"),
    "a socket, which no pod has": ({"redis": {"url": "unix:///run/redis.sock"}}, "redis.url"),
    "a Valkey with hardly any memory": ({"valkey": {"maxMemoryMiB": 1}}, "valkey.maxMemoryMiB"),
    "a size without a unit": ({"valkey": {"persistence": {"size": "2000"}}}, "valkey.persistence.size"),
    "a password in the place of its Secret's name": ({"valkey": {"passwordSecret": "P4ss!"}}, "valkey.passwordSecret"),
    "a budget that would stop every drain": (
        {"web": {"podDisruptionBudget": {"maxUnavailable": 0}}},
        "web.podDisruptionBudget.maxUnavailable",
    ),
    "a budget of no share": (
        {"web": {"podDisruptionBudget": {"maxUnavailable": "0%"}}},
        "web.podDisruptionBudget.maxUnavailable",
    ),
    "webs that scale to none": ({"web": {"autoscaling": {"minReplicas": 0}}}, "web.autoscaling.minReplicas"),
    "a use of CPU above all": (
        {"web": {"autoscaling": {"targetCPUUtilizationPercentage": 180}}},
        "web.autoscaling.targetCPUUtilizationPercentage",
    ),
    "workers that scale to none": ({"worker": {"keda": {"minReplicas": 0}}}, "worker.keda.minReplicas"),
    "a lag of nothing": ({"worker": {"keda": {"lagCount": 0}}}, "worker.keda.lagCount"),
    "KEDA's address as a URL": ({"worker": {"keda": {"address": "redis://redis:6379"}}}, "worker.keda.address"),
    "a key written into the configuration": (
        {"config": {"destinations": {"on-call": {"kind": "incident-io", "api_key": "inc_123"}}}},
        "api_key",
    ),
    "a token written into the configuration": (
        {"config": {"sources": {"alertmanager": {"kind": "alertmanager", "bearer": ["abc"]}}}},
        "bearer",
    ),
    "a source without a kind": ({"config": {"sources": {"alertmanager": {}}}}, "kind"),
    "a destination without a key": ({"config": {"destinations": {"on-call": {"kind": "incident-io"}}}}, "api_key"),
    "a folder of rules": ({"config": {"rules": "/elsewhere"}}, "rules"),
    "a rule file that would not be read": ({"rules": {"10.yml": "rules: []"}}, "rules"),
    "rules that are not text": ({"rules": {"10.yaml": {"rules": []}}}, r"rules.10\.yaml"),
    "a name of a ConfigMap that is none": ({"existingRulesConfigMap": "Our Rules"}, "existingRulesConfigMap"),
    "a Secret for no process": ({"secrets": {"console": {"existing": "a"}}}, "console"),
    "a key that is no variable": ({"secrets": {"web": {"values": {"webhook-token": "a"}}}}, "webhook-token"),
    "an empty secret": ({"secrets": {"web": {"values": {"WEBHOOK_TOKEN": ""}}}}, "WEBHOOK_TOKEN"),
    "a check without time": ({"check": {"timeoutSeconds": 1}}, "check.timeoutSeconds"),
    "a service of an unknown sort": ({"service": {"type": "ExternalName"}}, "service.type"),
    "a port that there is not": ({"service": {"port": 70000}}, "service.port"),
    "an annotation that is not text": ({"service": {"annotations": {"a": 1}}}, "service.annotations.a"),
    "an ingress without a host": ({"ingress": {"enabled": True}}, "hosts"),
    "an empty host": ({"ingress": {"hosts": [""]}}, "ingress.hosts.0"),
    "a route without a Gateway": ({"httpRoute": {"enabled": True}}, "parentRefs"),
    "a Gateway without a name": ({"httpRoute": {"parentRefs": [{"namespace": "a"}]}}, "httpRoute.parentRefs.0"),
    "a peer that is everybody": ({"networkPolicy": {"from": [{}]}}, "networkPolicy.from.0"),
    "a port of Redis that there is not": ({"networkPolicy": {"redisPort": 0}}, "networkPolicy.redisPort"),
    "an interval without a unit": ({"serviceMonitor": {"interval": "30"}}, "serviceMonitor.interval"),
    "a name of a ServiceAccount that is none": ({"serviceAccount": {"name": "A B"}}, "serviceAccount.name"),
    "a label that is the chart's own": ({"podLabels": {"app.kubernetes.io/component": "x"}}, "podLabels"),
    "a label by which services are found": (
        {"serviceMonitor": {"labels": {"app.kubernetes.io/instance": "x"}}},
        "serviceMonitor.labels",
    ),
    "spreading of other pods": (
        {
            "topologySpreadConstraints": [
                {"maxSkew": 1, "topologyKey": "a", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {}}
            ]
        },
        "topologySpreadConstraints.0",
    ),
    "spreading over nothing": ({"topologySpreadConstraints": [{"maxSkew": 1}]}, "topologySpreadConstraints.0"),
    "a grace period shorter than the router's own": ({"terminationGracePeriodSeconds": 5}, "terminationGrace"),
}

# What only shows where values meet: by the kind of mistake, values and the whole message.
BY_TEMPLATES = {
    "a Secret both named and made": (
        {"secrets": {"web": {"existing": "a", "values": {"A": "b"}}}},
        "secrets.web: give either `existing`, the name of a Secret that is there, or `values` for one to be made",
    ),
    "two stores": (
        {"valkey": {"enabled": True}, "redis": {"url": "redis://redis"}},
        "redis.url: leave it empty with `valkey.enabled`, whose address the chart knows",
    ),
    "webs that scale in a Deployment that is no web's": (
        {"mode": "all", "web": {"autoscaling": {"enabled": True}}},
        "mode: all has nothing to scale by itself: use `mode: separate` with `web.autoscaling` and `worker.keda`",
    ),
    "workers that scale in a Deployment that is no worker's": (
        {"mode": "all", "worker": {"keda": {"enabled": True}}},
        "mode: all has nothing to scale by itself: use `mode: separate` with `web.autoscaling` and `worker.keda`",
    ),
    "fewest webs above most": (
        {"web": {"autoscaling": {"enabled": True, "minReplicas": 11}}},
        "web.autoscaling: `minReplicas` is above `maxReplicas`",
    ),
    "fewest workers above most": (
        {"redis": {"url": "redis://redis"}, "worker": {"keda": {"enabled": True, "minReplicas": 5}}},
        "worker.keda: `minReplicas` is above `maxReplicas`",
    ),
    "KEDA without an address": (
        {"worker": {"keda": {"enabled": True}}},
        "worker.keda.address: say where Redis is, as host:port; its URL is in a Secret, which the chart cannot read",
    ),
    "a test of a source that there is not": (
        {"test": {"source": "alerts"}, "config": {"sources": ALERTMANAGER}},
        'test.source: "alerts" is no source of kind alertmanager, or json without a mapping,',
    ),
    "a test of a source whose body the chart does not know": (
        {"test": {"source": "dd"}, "config": {"sources": {"dd": {"kind": "datadog", "bearer": [{"env": "A"}]}}}},
        'test.source: "dd" is no source of kind alertmanager, or json without a mapping,',
    ),
    "a test whose credential is nowhere": (
        {"config": {"sources": ALERTMANAGER}},
        "secrets.web: it has to hold WEBHOOK_TOKEN, which `config.sources` names",
    ),
}


@pytest.mark.parametrize("case", BY_SCHEMA)
def test_the_schema_refuses_and_names(case):
    values, names = BY_SCHEMA[case]
    with pytest.raises(helm.Refused, match=names) as refused:
        helm.render(copy.deepcopy(values))
    assert "values don't meet the specifications of the schema" in str(refused.value)


@pytest.mark.parametrize("case", BY_TEMPLATES)
def test_the_templates_refuse_and_say_what_to_do(case):
    values, message = BY_TEMPLATES[case]
    with pytest.raises(helm.Refused) as refused:
        helm.render(copy.deepcopy(values))
    assert message in str(refused.value)


def test_every_refusal_of_the_templates_has_a_case():
    said = "".join(path.read_text() for path in (helm.CHART / "templates").iterdir())
    known = [message for _, message in BY_TEMPLATES.values()]
    found = re.findall(r'{{-? fail (?:\(printf )?"((?:[^"\\]|\\.)+)"', said)
    for refusal in found:
        begins = re.escape(refusal.partition(" with ")[0]).replace("%q", ".*").replace("%s", ".*")
        assert any(re.match(begins, message) for message in known), refusal
    assert said.count("{- fail ") == len(found), "a refusal is written in a way that this test does not see"
