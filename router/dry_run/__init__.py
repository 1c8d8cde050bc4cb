"""The router's own decisions, played through without a store, without vendors and on a clock that is moved by hand."""
