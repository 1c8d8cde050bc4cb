"""The Slack app: buttons, forms, and slash commands, which act through the same services as the API and the console."""
