"""No message about a configuration shows a secret, wherever the secret was written by mistake."""

import pytest

from router import configuration

SECRET = "hunter2-hunter2"
NUMBER = "987654321987654321"
DESTINATION = "destinations:\n  x:\n    kind: incident-io\n"
SOURCE = "sources:\n  s:\n    kind: json\n"
SHAPES = {
    "flow": "destinations:\n  x: {kind: incident-io, api_key: %s, bogus: 1}\n",
    "flow over lines": "destinations:\n  x: {kind: incident-io,\n      api_key:\n        %s,\n      bogus: 1}\n",
    "folded": DESTINATION + "    api_key: >-\n      %s\n    bogus: 1\n",
    "literal, deeper": DESTINATION + "    api_key: |\n      a\n        %s\n",
    "list": DESTINATION + "    api_key:\n      - %s\n",
    "mapping": DESTINATION + "    api_key:\n      value: %s\n",
    "apikey": DESTINATION + "    apikey: %s\n",
    "key": DESTINATION + "    key: %s\n",
    "api_kye": DESTINATION + "    api_kye: %s\n",
    "misspelt beyond hope": DESTINATION + "    zzz: '%s'\n",
    "authorization": SOURCE + "    authorization: Bearer %s\n",
    "bearer that is no list": SOURCE + "    bearer: %s\n",
    "bearer list": SOURCE + "    bearer:\n      - {x: %s}\n",
    "basic without a colon": SOURCE + "    basic: ['%s']\n",
    "values": SOURCE + "    token:\n      header: X\n      values:\n        - [%s]\n",
    "value": SOURCE + "    token:\n      header: X\n      value: %s\n",
    "values that are no list": SOURCE + "    token:\n      header: X\n      values: %s\n",
    "signature": SOURCE + "    signature:\n      scheme: standard-webhooks\n      secrets:\n        - '%s!'\n",
    "webhook": DESTINATION + "    api_key: a\n    webhook:\n      secrets:\n        - '%s!'\n",
    "webhook that is no mapping": DESTINATION + "    api_key: a\n    webhook: %s\n",
    "redis url": "redis:\n  url: redis://:%s@h:x/0\n",
    "redis url with a slash": "redis:\n  url: redis://:a/%s@h:6379/0\n  bogus: 1\n",
    "redis uri": "redis:\n  uri: redis://:a/%s@h:6379/0\n",
    "redis url without a host": "redis:\n  url: [redis://:%s]\n",
    "redis password": "redis:\n  sentinel: {service: m, nodes: [a:1], password: %s, x: 1}\n",
    "ping_url": "self_report:\n  ping_url: [https://hc.example/%s]\n",
    "pingurl": "self_report:\n  pingurl: https://hc.example/%s\n",
    "client_secret": "management: {oidc: {issuer: 'https://i', client_secret: %s, bogus: 1}}\n",
    "unclosed quote": DESTINATION + '    api_key: "%s\n',
    "tab": DESTINATION + "\tapi_key: %s\n",
    "twice": DESTINATION + "    api_key: a\n    api_key: %s\n",
    "anchor": "k: &k %s\ndestinations:\n  x: {kind: incident-io, api_key: *k}\n",
    "tag": DESTINATION + "    api_key: !env %s\n",
    "evn": DESTINATION + "    api_key: {evn: %s}\n",
    "base_url": DESTINATION + "    api_key: a\n    base_url: https://u:%s@h/ x\n",
    "base_url list": DESTINATION + "    api_key: a\n    base_url: [https://u:a/%s@h/]\n",
    "alertmanager": "silences:\n  alertmanagers:\n    a: {url: 'ftp://u:%s@h'}\n",
    "poll": "sources:\n  s:\n    kind: alertmanager\n    auth: none\n    poll: {url: 'http://u:%s@h'}\n",
    "poll basic": "sources:\n  s:\n    kind: alertmanager\n    auth: none\n    poll: {url: 'http://h', basic: %s}\n",
    "comment": DESTINATION + "    bogus: 1 # the key is %s\n",
    "no key at all": "%s\n",
    "item": "- %s\n",
    "colon in it": DESTINATION + "    api_key: a: %s\n",
    "quoted key": DESTINATION + '    "api_kye": "%s"\n',
    "port": "web:\n  port: %s\n",
    "kind": "destinations:\n  x:\n    kind: [%s]\n",
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES.keys())
@pytest.mark.parametrize("secret", [SECRET, NUMBER])
def test_no_message_shows_a_secret(tmp_path, shape, secret):
    (tmp_path / "router.yaml").write_text("rules: rules\n" + shape % secret)
    try:
        configuration.load(tmp_path / "router.yaml", {})
    except configuration.InvalidConfiguration as refused:
        told = "\n".join(map(str, refused.problems))
        assert told
        assert secret not in told


def test_message_shows_the_line_of_the_error(tmp_path):
    (tmp_path / "router.yaml").write_text(
        "sources:\n  s: {kind: jsn, auth: none}\nweb: {port: 8O}\nlog: {level: loud}\n"
    )
    with pytest.raises(configuration.InvalidConfiguration) as refused:
        configuration.load(tmp_path / "router.yaml", {})
    told = "\n".join(map(str, refused.value.problems))
    assert "s: {kind: jsn, auth: none}" in told
    assert "log: {level: loud}" in told
