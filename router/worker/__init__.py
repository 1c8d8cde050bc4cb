"""The worker: folds deliveries from the inbox into incidents, and reconciles their publications with the vendors."""
