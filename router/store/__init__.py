"""The state in Redis or Valkey: the only package that speaks to it."""
