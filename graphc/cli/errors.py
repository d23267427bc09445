"""What a command raises for what its user got wrong."""


class UsageError(Exception):
    """A message for the user: one line that says what was given and what was expected."""
