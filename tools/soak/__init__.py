"""The soak test: real processes run under load and are killed at random, and every accepted delivery is checked."""
