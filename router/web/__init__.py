"""The door: everything that answers HTTP. Webhooks come in at ``webhooks``, and leave as entries of the inbox."""
