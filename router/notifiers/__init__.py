"""Notifiers tell operators about incidents, reviews, the publishing guard, freezes, and dead letters. Each kind has one
file."""
