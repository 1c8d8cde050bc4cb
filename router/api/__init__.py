"""The management API: its endpoints, authentication, OpenAPI document, and client."""
