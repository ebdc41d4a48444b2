"""What is done about what the guardian finds, where the owner allowed it."""
