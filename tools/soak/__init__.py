"""The soak test: real processes under load that are killed at random, and a check of everything that was accepted."""
