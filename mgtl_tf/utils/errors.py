"""The one error type for mistakes that a user can mend."""


class UserError(Exception):
    """A user's mistake or a broken input, told in one line.

    The message names the file, row, flag or argument, its value and the
    remedy; programs print it without a traceback and exit with status 1.
    """
