"""The simulated DevHelm: incidents, status pages, and the drafts that a page creates automatically."""
