"""Both vendors, simulated: a second reading of their APIs, for a first try, a demonstration and the tests."""
