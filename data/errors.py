"""The one error that users are meant to read."""


class UserError(Exception):
    """A mistake that the user can mend.

    The message is one sentence that names the file, line or field and says what to do.
    The command line prints it without a stack trace and exits with code 2; the server answers 4xx.
    """
