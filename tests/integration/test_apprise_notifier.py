"""The Apprise notifier with a mail server and HTTP receivers: delivered messages, retries, and redacted secrets."""

import asyncio
import contextlib
import json
import logging
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator

import msgspec
import pydantic
import pytest

from router.domain import decisions, events
from router.notifiers import apprise, base
from router.outbound import call_policy, errors
from tests.contract import notifier_samples
from tests.integration import mail, notifiers, receiver, vendor, workers

PASSWORD, TOKEN = "correct-horse", "t0ken-in-the-path"
OPENED, WAITING = notifier_samples.ALL[0], notifier_samples.ALL[6]


def service(at: receiver.Receiver, path: str = "/") -> str:
    """Return the Apprise URL of a receiver."""
    return at.url.replace("http", "json", 1) + path


@contextlib.asynccontextmanager
async def connect(*urls: str, quota=None, **settings) -> AsyncIterator[apprise.Apprise]:
    config = apprise.Config(urls=urls, **settings)
    made = apprise.Apprise(
        "ops", config, base.NotifierConnection(lambda: notifier_samples.NOW, "prod", "https://c.example", quota)
    )
    yield made
    await made.aclose()


def deliver(*urls: str, found=(OPENED,), state=None, **settings) -> base.Delivered:
    """Make one delivery attempt for the events."""

    async def main() -> base.Delivered:
        async with connect(*urls, **settings) as made:
            return await made.deliver(base.Batch(notifier_samples.record(*found), state or {}))

    return asyncio.run(main())


def catch_failure(*urls: str, **settings) -> errors.Failure:
    with pytest.raises(errors.Failure) as raised:
        deliver(*urls, **settings)
    return raised.value


def list_titles(at: receiver.Receiver) -> list[str]:
    return [json.loads(request.body)["title"] for request in at.requests]


class TestMail:
    def test_mail_has_a_subject_and_a_plain_text(self):
        with mail.run_mail_server() as server:
            assert deliver(server.url(), found=(OPENED, WAITING)) == base.Delivered(2, {})
            (message,) = server.messages
            assert message["subject"] == "Review: Checkout fails"
            assert (message["from"], message["to"]) == ("router@example.com", "team@example.com")
            assert "> We are on it." in server.texts[0]
            assert "https://c.example/incident?key=down" in server.texts[0]

    def test_alert_title_adds_no_header_or_markup(self):
        incident = msgspec.structs.replace(
            notifier_samples.INCIDENT, title="<script>x</script>\r\nBcc: evil@example.com\r\n\r\nbody"
        )
        with mail.run_mail_server() as server:
            for url in (server.url(), server.url() + "&format=html"):
                deliver(url, found=(events.IncidentOpened(incident),))
            for message in server.messages:
                assert message["bcc"] is None
                assert message["to"] == "team@example.com"
                assert message["subject"].startswith("Major: <script>x</script> Bcc: evil@example.com body")
            html = server.messages[1].get_body(("html",)).get_content()
            assert "<script>" not in html
            assert "&lt;script&gt;" in html

    def test_rejected_recipient_fails_without_the_password(self):
        with mail.run_mail_server() as server:
            server.rejected.add("gone@example.com")
            failure = catch_failure(server.url("gone@example.com"))
            assert str(failure).startswith("ops: URL 1 (mailto://): ")
            assert server.messages == []
        away = catch_failure(f"mailto://user:{PASSWORD}@127.0.0.1:{server.port}?from=r@example.com&to=team@example.com")
        assert isinstance(away, errors.Unanswered)
        assert PASSWORD not in str(away)


class TestPartialFailure:
    def test_only_the_url_that_failed_is_retried(self):
        """The first call delivers to one of two URLs, and reports that. The second call delivers to the other URL."""
        with receiver.run_receiver() as good, receiver.run_receiver() as bad:
            bad.answers = [500]
            urls = service(good), service(bad)
            first = deliver(*urls)
            assert first.sequence == 0
            assert len(first.state) == 2
            assert deliver(*urls, state=first.state) == base.Delivered(1, {})
            assert (len(good.requests), len(bad.requests)) == (1, 2)

    def test_failing_url_causes_no_repetition_at_other_urls(self):
        with receiver.run_receiver() as good, receiver.run_receiver() as bad:
            bad.always = 500
            urls = service(good), service(bad)
            state = deliver(*urls).state
            for _ in range(3):
                assert isinstance(catch_failure(*urls, state=state), errors.Unanswered)
            assert len(good.requests) == 1
            # The first URL gets the new event only, and the second URL gets both events in one message.
            bad.always = 204
            assert deliver(*urls, found=(OPENED, WAITING), state=state) == base.Delivered(2, {})
            assert list_titles(good) == ["Major: Checkout is down", "Review: Checkout fails"]
            assert "Opened" in json.loads(bad.requests[-1].body)["message"]
            assert "Opened" not in json.loads(good.requests[-1].body)["message"]

    def test_urls_may_be_reordered_between_attempts(self):
        with receiver.run_receiver() as good, receiver.run_receiver() as bad, receiver.run_receiver() as added:
            bad.answers = [500]
            state = deliver(service(good), service(bad)).state
            deliver(service(added), service(bad), service(good), state=state)
            assert (len(good.requests), len(bad.requests), len(added.requests)) == (1, 2, 1)

    def test_redelivery_reaches_every_url(self):
        """Some events had reached only one URL when an operator redelivered earlier events."""
        with receiver.run_receiver() as good, receiver.run_receiver() as bad:
            bad.answers = [500]
            urls, (first, second) = (service(good), service(bad)), notifier_samples.record(OPENED, WAITING)

            async def main() -> base.Delivered:
                async with connect(*urls) as made:
                    partly = await made.deliver(base.Batch([second], {}))
                    return await made.deliver(base.Batch([first, second], partly.state))

            assert asyncio.run(main()).sequence == 2
            assert (len(good.requests), len(bad.requests)) == (2, 2)

    def test_state_holds_no_part_of_a_url(self):
        with receiver.run_receiver() as good, receiver.run_receiver() as bad:
            bad.answers = [500]
            state = deliver(service(good, f"/{TOKEN}"), service(bad)).state
            assert TOKEN not in json.dumps(dict(state))

    def test_worker_delivers_to_each_url_once(self, with_redis):
        """Each URL gets one delivery with the delivery loop's retries and its record in Redis."""

        async def main(store):
            with receiver.run_receiver() as good, receiver.run_receiver() as bad:
                bad.answers = [500, 500]
                config = apprise.Config(urls=[service(good), service(bad)])
                at = vendor.on_call(vendor.Vendor())
                async with notifiers.run_harness(store, at, configs={"hook": config}) as harness:
                    await harness.on.deliver(workers.firing())
                    await harness.wait_until(lambda: any("Published" in str(request.body) for request in bad.requests))
                    bodies = [json.loads(request.body)["message"] for request in good.requests]
                    assert sum("Opened, major" in body for body in bodies) == 1
                    assert sum("Published at" in body for body in bodies) == 1

        with_redis(main)


class TestThreads:
    def test_slow_service_does_not_block_the_event_loop(self):
        """A service accepts the connection and never responds: the event loop continues, and the call times out."""

        async def main(url: str) -> int:
            async with connect(url, timeout_seconds=0.3) as made:
                await made.deliver(base.Batch(notifier_samples.record(OPENED), {}))  # Loads Apprise.
                turns = 0

                async def count() -> None:
                    nonlocal turns
                    while True:
                        turns += 1
                        await asyncio.sleep(0.001)

                counting = asyncio.create_task(count())
                with pytest.raises(errors.Unanswered, match=r"no answer within 0\.3 s"):
                    await made.deliver(base.Batch(notifier_samples.record(OPENED), {"slow": "1"}))
                counting.cancel()
                return turns

        with socket.create_server(("127.0.0.1", 0)) as server, receiver.run_receiver() as fast:
            slow = f"json://127.0.0.1:{server.getsockname()[1]}"
            deliver(service(fast))
            with pytest.raises(errors.Unanswered):
                asyncio.run(main(slow))
            assert len(fast.requests) == 1

    def test_hung_calls_keep_their_slots_and_are_bounded(self):
        async def main() -> None:
            ends, began = asyncio.Event(), []
            loop = asyncio.get_running_loop()
            threads = apprise._Threads(2, "ops")

            def hang() -> None:
                began.append(1)
                asyncio.run_coroutine_threadsafe(ends.wait(), loop).result()

            for _ in range(2):
                with pytest.raises(errors.Unanswered, match=r"no answer within 0\.01 s"):
                    await threads.run(hang, "ops", 0.01)
            with pytest.raises(errors.Queued):
                await threads.run(hang, "ops", 0.01)
            assert len(began) == 2
            ends.set()
            assert await threads.run(lambda: "free", "ops", 5) == "free"

        asyncio.run(main())

    def test_many_urls_use_a_bounded_number_of_threads(self, monkeypatch):
        running, most = [], []

        def notify(_service, _message) -> None:
            running.append(1)
            most.append(len(running))
            time.sleep(0.01)  # The timeout must bound a blocking call.
            running.pop()

        monkeypatch.setattr(apprise, "_notify", notify)
        deliver(*[f"json://127.0.0.1:{port}" for port in range(1, 17)])
        assert (len(most), max(most) <= apprise.AT_ONCE) == (16, True)

    def test_exception_of_a_service_names_only_its_type(self, monkeypatch):
        def notify(_service, _message) -> None:
            raise ValueError(TOKEN)

        monkeypatch.setattr(apprise, "_notify", notify)
        failure = catch_failure("json://127.0.0.1:1")
        assert str(failure) == "ops: URL 1 (json://): ValueError"

    def test_exhausted_quota_delivers_nothing(self):
        class Quota:
            async def admit(self, _turn: call_policy.Turn) -> call_policy.Admission:
                return call_policy.Admission(30.0)

        with receiver.run_receiver() as at:
            assert isinstance(catch_failure(service(at), quota=Quota()), errors.Queued)
            assert at.requests == []


class TestSecrets:
    @pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
    def test_urls_are_absent_from_errors_and_log(self, status, capfd, caplog):
        caplog.set_level(logging.WARNING)  # The router logs messages of libraries at this level or above.
        with receiver.run_receiver() as at:
            at.always = status
            url = at.url.replace("http://", f"json://ann:{PASSWORD}@") + f"/{TOKEN}?+x-key={TOKEN}"
            failure = catch_failure(url)
        assert f"error={status}" in str(failure)
        for text in (str(failure), repr(failure), *capfd.readouterr(), caplog.text):
            assert TOKEN not in text
            assert PASSWORD not in text

    def test_rejected_url_is_not_printed(self, capfd):
        failure = catch_failure(f"tgram://{TOKEN}")
        assert str(failure).startswith("ops: URL 1 (tgram://): Apprise does not accept the URL")
        assert TOKEN not in "".join(capfd.readouterr())

    def test_apprise_writes_no_files(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("HOME", str(tmp_path))
        with receiver.run_receiver() as at, mail.run_mail_server() as server:
            deliver(service(at), server.url())
        assert list(tmp_path.iterdir()) == []

    def test_redirect_is_not_followed(self):
        with receiver.run_receiver() as inner, receiver.run_receiver() as at:
            at.answers = [(302, {"location": inner.url})]
            catch_failure(service(at))
            assert inner.requests == []


class TestConfiguration:
    @pytest.mark.parametrize(
        ("url", "problem"),
        [
            ("file:///etc/passwd", 'the scheme "file" is not accepted'),
            ("syslog://local0", 'the scheme "syslog" is not accepted'),
            ("dbus://", 'the scheme "dbus" is not accepted'),
            ("windows://", 'the scheme "windows" is not accepted'),
            ("mastodon://t0ken-in-the-path@social.example", 'the scheme "mastodon" is not accepted'),
            ("pagerduty://t0ken-in-the-path", 'the scheme "pagerduty" is not accepted'),
            ("nfty://t0ken-in-the-path", 'the scheme "nfty" is not accepted; did you mean "ntfy"?'),
            ("t0ken-in-the-path", "expected an Apprise URL"),
            ("discord://a/b?template=/etc/t0ken-in-the-path", 'the parameter "template" is not accepted'),
            ("json://host?Redirect=yes", 'the parameter "redirect" is not accepted'),
            ("json://host:[t0ken-in-the-path", "the URL can't be read"),
        ],
    )
    def test_invalid_url_error_hides_the_url(self, url, problem):
        with pytest.raises(pydantic.ValidationError) as raised:
            apprise.Config(urls=[url])
        assert problem in str(raised.value)
        assert TOKEN not in str(raised.value)

    def test_missing_package_is_named_with_its_extra(self, monkeypatch):
        monkeypatch.setattr(apprise.importlib.util, "find_spec", lambda _: None)
        with pytest.raises(pydantic.ValidationError, match=r'pip install "incident-router\[apprise\]"'):
            apprise.Config(kind="apprise", urls=["json://host"])

    def test_package_is_imported_only_to_deliver(self):
        program = (
            "import sys\n"
            "from router.notifiers import base, registry\n"
            "kind = registry.KINDS['apprise']\n"
            "config = kind.config(kind='apprise', urls=['json://127.0.0.1'])\n"
            "kind.make('ops', config, base.NotifierConnection(lambda: 0))\n"
            "print('apprise' in sys.modules)\n"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert done.stdout == "False\n"

    def test_every_accepted_scheme_is_one_of_apprise(self):
        apprise.load()
        from apprise import manager_plugins

        assert set(manager_plugins.NotificationManager().schemas()) >= apprise.SCHEMES


def test_opening_and_publication_share_one_message():
    second = events.IncidentOpened(msgspec.structs.replace(notifier_samples.INCIDENT, reference="IR-2"))
    found = notifier_samples.ALL[0], notifier_samples.ALL[2], notifier_samples.ALL[4], second
    with receiver.run_receiver() as at:
        first = deliver(service(at), found=found)
        assert first.sequence == 3
        assert list_titles(at) == ["Major: Checkout is down"]
        assert "Published at page (open)" in json.loads(at.requests[0].body)["message"]


def test_review_of_a_rule_arrives_as_mail(with_redis):
    async def main(store):
        with mail.run_mail_server() as server:
            page = vendor.place("page", vendor.Vendor(), public=True)
            fields = {"title": "Checkout fails", "message": "We are on it.", "components": ["Checkout API"]}
            response = workers.rule(decisions.Target("page", fields, publish="review"))
            config = apprise.Config(urls=[server.url()])
            async with notifiers.run_harness(store, page, configs={"hook": config}) as harness:
                await harness.on.deliver(workers.firing(), response=response)
                await harness.turn()
                assert [message["subject"] for message in server.messages][-1] == "Review: Checkout fails"
                await harness.on.deliver(workers.resolved(), response=response)
                await harness.turn()
                assert "Resolved" in server.messages[-1]["subject"]
                assert len(server.messages) <= 3

    with_redis(main)
