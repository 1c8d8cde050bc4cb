"""What the router says about itself: every metric in ``metrics``, the structured log in ``log``."""
