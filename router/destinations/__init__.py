"""Where incidents are declared: one folder a vendor, one registry."""
