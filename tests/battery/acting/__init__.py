"""What is done about what the guardian finds."""
