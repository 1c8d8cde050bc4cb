"""The simulated Slack: the methods of its Web API that the router calls, Socket Mode, and users who click."""
