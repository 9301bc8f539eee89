"""Options of the container CLIs as data; one module a family, read by agent/intent/options.py."""
