"""Routes monitoring alerts to incidents and public status pages, and can explain every decision."""

__version__ = "0.1.0"
