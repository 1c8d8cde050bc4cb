"""A long trial: real processes under load, killed now and then, and whether all that was accepted came out right."""
