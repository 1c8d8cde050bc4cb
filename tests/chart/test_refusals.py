"""A wrong value is refused before the installation, with a message that names the value."""

import copy
import re

import pytest

from tests.chart import helm

ALERTMANAGER = {"alertmanager": {"kind": "alertmanager", "bearer": [{"env": "WEBHOOK_TOKEN"}]}}

# Violations of the schema: by mistake, the values and the text that the message must contain.
BY_SCHEMA = {
    "an unknown value": ({"replicas": 2}, "replicas"),
    "an unknown value of a process": ({"web": {"replica": 2}}, "replica"),
    "an unknown value of Valkey": ({"valkey": {"replicas": 3}}, "replicas"),
    "an unknown mode": ({"mode": "both"}, r"mode.*\n?.*separate"),
    "negative replicas": ({"worker": {"replicas": -1}}, "worker.replicas"),
    "replicas as text": ({"web": {"replicas": "2"}}, "web.replicas"),
    "an unknown pull policy": ({"image": {"pullPolicy": "Sometimes"}}, "image.pullPolicy"),
    "an image without a name": ({"image": {"repository": ""}}, "image.repository"),
    "a pull secret without a name": ({"imagePullSecrets": [{}]}, "imagePullSecrets.0"),
    "unknown resources": ({"web": {"resources": {"limit": {}}}}, "web.resources"),
    "a Valkey with too little memory": ({"valkey": {"maxMemoryMiB": 1}}, "valkey.maxMemoryMiB"),
    "a size without a unit": ({"valkey": {"persistence": {"size": "2000"}}}, "valkey.persistence.size"),
    "a password instead of its Secret's name": (
        {"valkey": {"auth": {"existingSecret": "P4ss!"}}},
        "valkey.auth.existingSecret",
    ),
    "an unknown image registry": ({"image": {"registri": "a"}}, "registri"),
    "a console's route without a host": (
        {"console": {"httpRoute": {"enabled": True, "parentRefs": [{"name": "a"}]}}},
        "hostnames",
    ),
    "a console's ingress without a host": ({"console": {"ingress": {"enabled": True}}}, "hosts"),
    "a variable without a name": ({"extraEnv": [{"value": "a"}]}, "extraEnv.0"),
    "an unknown IP family": ({"service": {"ipFamilies": ["IPv5"]}}, "service.ipFamilies.0"),
    "an unknown OpenShift mode": (
        {"global": {"compatibility": {"openshift": {"adaptSecurityContext": "yes"}}}},
        "adaptSecurityContext",
    ),
    "an invalid full name": ({"fullnameOverride": "Alert_Router"}, "fullnameOverride"),
    "a budget that blocks every drain": (
        {"web": {"podDisruptionBudget": {"maxUnavailable": 0}}},
        "web.podDisruptionBudget.maxUnavailable",
    ),
    "a budget of zero percent": (
        {"web": {"podDisruptionBudget": {"maxUnavailable": "0%"}}},
        "web.podDisruptionBudget.maxUnavailable",
    ),
    "webs that scale to zero": ({"web": {"autoscaling": {"minReplicas": 0}}}, "web.autoscaling.minReplicas"),
    "a CPU utilization above the maximum": (
        {"web": {"autoscaling": {"targetCPUUtilizationPercentage": 180}}},
        "web.autoscaling.targetCPUUtilizationPercentage",
    ),
    "workers that scale to zero": ({"worker": {"keda": {"minReplicas": 0}}}, "worker.keda.minReplicas"),
    "a lag of zero": ({"worker": {"keda": {"lagCount": 0}}}, "worker.keda.lagCount"),
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
    "a signing secret of Slack written into the configuration": (
        {"config": {"slack_app": {"token": {"env": "SLACK_BOT_TOKEN"}, "signing_secret": "8f742231"}}},
        "signing_secret",
    ),
    "a destination without a key": ({"config": {"destinations": {"on-call": {"kind": "incident-io"}}}}, "api_key"),
    "a folder of rules": ({"config": {"rules": "/elsewhere"}}, "rules"),
    "a rule file with an unknown extension": ({"rules": {"10.yml": "rules: []"}}, "rules"),
    "rules that are not text": ({"rules": {"10.yaml": {"rules": []}}}, r"rules.10\.yaml"),
    "an invalid ConfigMap name": ({"existingRulesConfigMap": "Our Rules"}, "existingRulesConfigMap"),
    "a Secret for an unknown process": ({"secrets": {"console": {"existing": "a"}}}, "console"),
    "an invalid variable name": ({"secrets": {"web": {"values": {"webhook-token": "a"}}}}, "webhook-token"),
    "an empty secret": ({"secrets": {"web": {"values": {"WEBHOOK_TOKEN": ""}}}}, "WEBHOOK_TOKEN"),
    "a check with too short a timeout": ({"check": {"timeoutSeconds": 1}}, "check.timeoutSeconds"),
    "an unknown service type": ({"service": {"type": "ExternalName"}}, "service.type"),
    "a port out of range": ({"service": {"port": 70000}}, "service.port"),
    "an annotation that is not text": ({"service": {"annotations": {"a": 1}}}, "service.annotations.a"),
    "an ingress without a host": ({"ingress": {"enabled": True}}, "hosts"),
    "an empty host": ({"ingress": {"hosts": [""]}}, "ingress.hosts.0"),
    "a route without a Gateway": ({"httpRoute": {"enabled": True}}, "parentRefs"),
    "a Gateway without a name": ({"httpRoute": {"parentRefs": [{"namespace": "a"}]}}, "httpRoute.parentRefs.0"),
    "a peer without a selector": ({"networkPolicy": {"from": [{}]}}, "networkPolicy.from.0"),
    "a Redis port out of range": ({"networkPolicy": {"redisPort": 0}}, "networkPolicy.redisPort"),
    "an interval without a unit": ({"serviceMonitor": {"interval": "30"}}, "serviceMonitor.interval"),
    "an invalid ServiceAccount name": ({"serviceAccount": {"name": "A B"}}, "serviceAccount.name"),
    "a label that is the chart's own": ({"podLabels": {"app.kubernetes.io/component": "x"}}, "podLabels"),
    "a label that services select": (
        {"serviceMonitor": {"labels": {"app.kubernetes.io/instance": "x"}}},
        "serviceMonitor.labels",
    ),
    "spread constraints for other pods": (
        {
            "topologySpreadConstraints": [
                {"maxSkew": 1, "topologyKey": "a", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {}}
            ]
        },
        "topologySpreadConstraints.0",
    ),
    "spread constraints without a topology key": (
        {"topologySpreadConstraints": [{"maxSkew": 1}]},
        "topologySpreadConstraints.0",
    ),
    "a grace period shorter than the router's": ({"terminationGracePeriodSeconds": 5}, "terminationGrace"),
}

# Conflicts between values: by mistake, the values and the whole message.
BY_TEMPLATES = {
    "no Redis at all": (
        {"redis": {"url": ""}},
        "redis.url: the router needs Redis: set `redis.url`, or put REDIS_URL into a Secret that "
        "`secrets.shared.existing` names, or set `valkey.enabled`",
    ),
    "a password in the Redis URL": (
        {"redis": {"url": "redis://:secret@redis:6379"}},
        "redis.url: it has a user or a password: put the whole URL as REDIS_URL into a Secret, name that in "
        "`secrets.shared.existing`, and leave `redis.url` empty",
    ),
    "an invalid Redis URL": (
        {"redis": {"url": "redis:6379"}},
        'redis.url: "redis:6379" is no URL of Redis: write redis://HOST:PORT, or rediss://HOST:PORT for TLS',
    ),
    "a Unix socket": (
        {"redis": {"url": "unix:///run/redis.sock"}},
        'redis.url: "unix:///run/redis.sock" is',
    ),
    "a Redis URL in the configuration": (
        {"config": {"redis": {"url": "redis://redis:6379"}}},
        "config.redis.url: set `redis.url` instead, or {env: REDIS_URL} with a Secret that has the URL",
    ),
    "an existing and a created Secret": (
        {"secrets": {"web": {"existing": "a", "values": {"A": "b"}}}},
        "secrets.web: set either `existing`, the name of your Secret, or `values` for a Secret that the chart creates",
    ),
    "Redis and Valkey together": (
        {"valkey": {"enabled": True}, "redis": {"url": "redis://redis"}},
        "redis.url: leave it empty with `valkey.enabled`, whose address the chart knows",
    ),
    "a variable that the chart sets": (
        {"extraEnv": [{"name": "REDIS_URL", "value": "redis://other"}]},
        "extraEnv: the chart sets REDIS_URL: remove it, or the value that the chart takes it from",
    ),
    "a port of the container": (
        {"config": {"web": {"port": 9000}}},
        "config.web.port: the container's port is 8080: remove it; `service.port` and `console.service.port` are the "
        "ports of Services",
    ),
    "a listener that only the pod reaches": (
        {"config": {"management": {"host": "127.0.0.1"}}},
        "config.management.host: probes and Services can't reach 127.0.0.1 in a pod: remove it for ::, which is IPv4 "
        "and IPv6",
    ),
    "a console at the webhooks' host": (
        {
            "ingress": {"enabled": True, "hosts": ["a.example.org"]},
            "console": {"ingress": {"enabled": True, "hosts": ["a.example.org"]}},
        },
        'console.ingress.hosts: "a.example.org" is a host of `ingress`, too: give the console its own host',
    ),
    "a console at the webhooks' host at a Gateway": (
        {
            "httpRoute": {"enabled": True, "parentRefs": [{"name": "a"}], "hostnames": ["a.example.org"]},
            "console": {"httpRoute": {"enabled": True, "parentRefs": [{"name": "a"}], "hostnames": ["a.example.org"]}},
        },
        'console.httpRoute.hostnames: "a.example.org" is a host of `httpRoute`, too: give the console its own host',
    ),
    "a console blocked by the network policy": (
        {"networkPolicy": {"enabled": True}, "console": {"ingress": {"enabled": True, "hosts": ["a.example.org"]}}},
        "networkPolicy.consoleFrom: the console has a route, and no peer may reach it: name the namespace of your "
        "Ingress controller or Gateway",
    ),
    "too little memory for a request": (
        {"web": {"resources": {"limits": {"memory": "64Mi"}}}},
        "web.resources.limits.memory: set at least 192Mi, which the process and a request of 16 MiB need; 512Mi is the "
        "default of web",
    ),
    "a budget above the memory limit": (
        {"config": {"web": {"max_bytes_in_flight": "400MiB"}}},
        "config.web.max_bytes_in_flight: it is above half of web.resources.limits.memory, so requests could end the "
        "process: remove it for a quarter of the limit, or raise the limit",
    ),
    "a budget in bytes above the memory limit": (
        {"mode": "all", "config": {"web": {"max_bytes_in_flight": 500000000}}},
        "config.web.max_bytes_in_flight: it is above half of all.resources.limits.memory",
    ),
    "a body above the memory limit": (
        {"config": {"web": {"max_body_bytes": 134217728}}},
        "config.web.max_body_bytes: it is above an eighth of web.resources.limits.memory, so one request could end the "
        "process: lower it, or raise the limit",
    ),
    "a probe with two actions": (
        {"web": {"livenessProbe": {"exec": {"command": ["true"]}}}},
        "web.livenessProbe: it has more than one action: set `httpGet: null` to replace the chart's",
    ),
    "a container of the same name": (
        {"extraContainers": [{"name": "worker", "image": "a"}]},
        'extraContainers: the chart has a container "worker": choose another name',
    ),
    "a label that is set twice": (
        {"commonLabels": {"release": "a"}, "monitoring": {"prometheusRule": {"labels": {"release": "b"}}}},
        'commonLabels: "release" is also in `monitoring.prometheusRule.labels`: remove it from one of them',
    ),
    "a volume of the same name": (
        {"extraVolumes": [{"name": "config", "emptyDir": {}}]},
        'extraVolumes: the chart has a volume "config": choose another name',
    ),
    "a digest instead of a tag": (
        {"image": {"tag": f"sha256:{'a' * 64}"}},
        "image.tag: this is a digest: put it into `image.digest`",
    ),
    "two digests": (
        {"valkey": {"enabled": True, "image": {"tag": f"9.1@sha256:{'a' * 64}", "digest": f"sha256:{'b' * 64}"}}},
        "valkey.image.digest: `valkey.image.tag` has a digest, too: leave one of them out",
    ),
    "a tag with half a digest": (
        {"image": {"tag": "0.1.0@sha256:aaaa"}},
        'image.tag: "0.1.0@sha256:aaaa" is no tag: write `1.2.3`, or `1.2.3@sha256:` and 64 hexadecimal digits',
    ),
    "a digest without its algorithm": (
        {"image": {"digest": "a" * 64}},
        f'image.digest: "{"a" * 64}" is no digest: write `sha256:` and 64 hexadecimal digits',
    ),
    "two registries": (
        {"global": {"imageRegistry": "mirror.example.org"}, "image": {"repository": "registry.example.org/router"}},
        'image.repository: "registry.example.org/router" begins with a registry, and a registry is set, too: move it '
        "to `image.registry`",
    ),
    "a load balancer's option without one": (
        {"service": {"loadBalancerSourceRanges": ["192.0.2.0/24"]}},
        "service.type: `loadBalancerClass` and `loadBalancerSourceRanges` need type LoadBalancer",
    ),
    "an option of node ports without them": (
        {"service": {"externalTrafficPolicy": "Local"}},
        "service.type: `nodePort` and `externalTrafficPolicy` need type NodePort or LoadBalancer",
    ),
    "a budget that blocks every drain": (
        {"web": {"podDisruptionBudget": {"minAvailable": 2}}},
        "web.podDisruptionBudget.minAvailable: 2 of 2 replicas would stop every drain: set fewer, or more "
        "`web.replicas`",
    ),
    "an empty budget": (
        {"worker": {"podDisruptionBudget": {"maxUnavailable": None}}},
        "worker.podDisruptionBudget: set `maxUnavailable` or `minAvailable`, or `enabled: false`",
    ),
    "web autoscaling with mode all": (
        {"mode": "all", "web": {"autoscaling": {"enabled": True}}},
        "mode: `web.autoscaling` and `worker.keda` scale the Deployments of `mode: separate`; with `mode: all` there "
        "are none",
    ),
    "worker autoscaling with mode all": (
        {"mode": "all", "worker": {"keda": {"enabled": True}}},
        "mode: `web.autoscaling` and `worker.keda` scale the Deployments of `mode: separate`; with `mode: all` there "
        "are none",
    ),
    "minimum replicas above maximum": (
        {"web": {"autoscaling": {"enabled": True, "minReplicas": 11}}},
        "web.autoscaling: `minReplicas` is above `maxReplicas`",
    ),
    "utilization without a request": (
        {"web": {"autoscaling": {"enabled": True}, "resources": {"requests": {"cpu": None}}}},
        "web.resources.requests.cpu: `web.autoscaling` needs it, as its target is a share of it",
    ),
    "web autoscaling without a metric": (
        {"web": {"autoscaling": {"enabled": True, "targetCPUUtilizationPercentage": 0}}},
        "web.autoscaling: set a target utilization or `metrics`, or Kubernetes has nothing to follow",
    ),
    "fewest workers above most": (
        {"redis": {"url": "redis://redis"}, "worker": {"keda": {"enabled": True, "minReplicas": 5}}},
        "worker.keda: `minReplicas` is above `maxReplicas`",
    ),
    "KEDA without an address": (
        {"redis": {"url": ""}, "secrets": {"shared": {"existing": "a"}}, "worker": {"keda": {"enabled": True}}},
        "worker.keda.address: set it to `host:port` of Redis: its URL is in a Secret, which the chart can't read",
    ),
    "KEDA without the sentinels' user": (
        {
            "config": {"redis": {"sentinel": {"service": "a", "nodes": ["b"], "username": "router"}}},
            "worker": {"keda": {"enabled": True}},
        },
        "worker.keda.authentication: `config.redis.sentinel.username` is set: name a TriggerAuthentication with "
        "`sentinelUsername` and `sentinelPassword`",
    ),
    "KEDA without a way to Valkey": (
        {"valkey": {"enabled": True}, "worker": {"keda": {"enabled": True}}},
        "valkey.networkPolicy.extraFrom: KEDA has to reach Valkey: name the namespace of its operator",
    ),
    "two passwords": (
        {"valkey": {"enabled": True, "auth": {"existingSecret": "a", "password": "b"}}},
        "valkey.auth: set either `existingSecret` or `password`",
    ),
    "a password that a URL can't have": (
        {"valkey": {"enabled": True, "auth": {"password": "a/b@c"}}},
        "valkey.auth.password: it may have letters, digits, and . _ ~ - only, as it is part of a URL; leave it empty "
        "to have one generated",
    ),
    "a Valkey whose limit ends it": (
        {"valkey": {"enabled": True, "maxMemoryMiB": 512}},
        "valkey.resources.limits.memory: set at least 1024Mi, twice `valkey.maxMemoryMiB`, as Valkey copies its memory "
        "when it rewrites its file",
    ),
    "a test of an unknown source": (
        {"test": {"source": "alerts"}, "config": {"sources": ALERTMANAGER}, "secrets": {"web": {"existing": "a"}}},
        'test.source: "alerts" is no source of kind alertmanager, or json without a mapping,',
    ),
    "a test of a source whose body the chart does not know": (
        {"test": {"source": "dd"}, "config": {"sources": {"dd": {"kind": "datadog", "bearer": [{"env": "A"}]}}}},
        'test.source: "dd" is no source of kind alertmanager, or json without a mapping,',
    ),
    "a test whose credential is nowhere": (
        {"config": {"sources": ALERTMANAGER}},
        "secrets.web: set `existing` or `values` to a Secret with WEBHOOK_TOKEN, which `config.sources` names, or put "
        "WEBHOOK_TOKEN into `extraEnv`",
    ),
}

# A conflict with the state of a cluster; test_cluster.py has the case.
BY_CLUSTER = (
    "valkey.persistence.size: Kubernetes can't change it from 2Gi to 8Gi: set it in the claim (kubectl edit pvc "
    "data-shop-incident-router-valkey-0), run kubectl delete statefulset shop-incident-router-valkey --cascade=orphan, "
    "and upgrade again"
)


@pytest.mark.parametrize("case", BY_SCHEMA)
def test_schema_refuses_a_wrong_value_by_name(case):
    values, names = BY_SCHEMA[case]
    with pytest.raises(helm.RenderError, match=names) as refused:
        helm.render(copy.deepcopy(values))
    assert "values don't meet the specifications of the schema" in str(refused.value)


@pytest.mark.parametrize("case", BY_TEMPLATES)
def test_templates_refuse_a_wrong_value_with_advice(case):
    values, message = BY_TEMPLATES[case]
    with pytest.raises(helm.RenderError) as refused:
        helm.render(copy.deepcopy(values))
    assert message in str(refused.value)


def test_every_template_refusal_has_a_case():
    said = "".join(path.read_text() for path in (helm.CHART / "templates").iterdir())
    known = [message for _, message in BY_TEMPLATES.values()] + [BY_CLUSTER]
    matches = re.findall(r'{{-? fail (?:\(printf )?"((?:[^"\\]|\\.)+)"', said)
    for refusal in matches:
        begins = re.escape(refusal.partition(" with ")[0]).replace("%q", ".*").replace("%s", ".*").replace("%d", ".*")
        assert any(re.match(begins, message) for message in known), refusal
    assert said.count("{- fail ") == len(matches), "a refusal is written in a way that this test does not see"
