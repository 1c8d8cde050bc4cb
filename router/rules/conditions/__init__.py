"""What a rule can ask of one field of an alert: one class a file, one line each in the registry."""
