"""The console and the management API: what people look at and act on, on a port of its own."""
