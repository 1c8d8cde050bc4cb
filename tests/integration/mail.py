"""A mail server: keeps every message, and rejects the recipients that a test names."""

import contextlib
import email
from collections.abc import Iterator
from email import message as mail
from email import policy
from typing import Any

from aiosmtpd import controller, smtp


class _Controller(controller.Controller):
    """Listens on a port that the system chooses, and gives the library the port for its first connection."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


class Server:
    """Accepts mail at ``url``, which is for one recipient."""

    def __init__(self) -> None:
        self.messages: list[mail.EmailMessage] = []
        self.rejected: set[str] = set()
        self._controller = _Controller(self, hostname="127.0.0.1", port=0)

    async def handle_RCPT(  # noqa: N802 - the name is aiosmtpd's
        self, _server: Any, _session: smtp.Session, envelope: smtp.Envelope, address: str, _options: list[str]
    ) -> str:
        if address in self.rejected:
            return "550 no such mailbox"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: smtp.Session, envelope: smtp.Envelope) -> str:  # noqa: N802
        content = envelope.content
        assert isinstance(content, bytes)
        self.messages.append(email.message_from_bytes(content, policy=policy.default))
        return "250 OK"

    def url(self, recipient: str = "team@example.com") -> str:
        """The URL of Apprise for a recipient."""
        return f"mailto://127.0.0.1:{self.port}?from=router@example.com&to={recipient}"

    @property
    def port(self) -> int:
        """The port that the server listens on."""
        return self._controller.port

    @property
    def texts(self) -> list[str]:
        """The texts of all messages."""
        return [message.get_body(("plain",)).get_content() for message in self.messages]


@contextlib.contextmanager
def run_mail_server() -> Iterator[Server]:
    """Run a mail server for the duration of the block."""
    server = Server()
    server._controller.start()
    try:
        yield server
    finally:
        server._controller.stop()
