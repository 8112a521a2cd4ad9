"""The one error type for mistakes that a user can correct."""


class UserError(Exception):
    """A user's mistake or a broken input, described in one line.

    The message names the file, row or argument, its value and the remedy;
    programs print it without a traceback and exit with status 1.
    """
