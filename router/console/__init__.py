"""The console: pages that are rendered on the server, sign-in, and live updates."""
