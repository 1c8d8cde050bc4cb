"""The HTTP server. Webhooks are handled in ``webhooks``, and accepted deliveries become entries of the inbox."""
