"""What the management API, the console, and the commands share: queries, actions, and their models."""
