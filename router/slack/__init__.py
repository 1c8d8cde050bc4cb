"""The Slack app: buttons, forms, and slash commands. They call the same services as the API and the console."""
