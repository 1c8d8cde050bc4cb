"""State in Redis or Valkey. No other package connects to the server."""
