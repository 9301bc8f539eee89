"""What lets an author trust a rule: each tool works without privilege and without a kernel."""
