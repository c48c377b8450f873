"""What goes wrong while a study is placed somewhere."""

from hippogym.errors import HippoError


class DeployError(HippoError):
    """Something that was needed is not there, or did not do what it was asked; the sentence says what to do.

    What had been done before stays, and the same command can simply be given again.
    """
