"""DevHelm, simulated: incidents, status pages, and the drafts that a page makes by itself."""
