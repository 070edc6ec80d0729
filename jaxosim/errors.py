"""The exceptions of jaxosim; each says where, and what was expected."""

QUOTED_LENGTH = 60  # characters of foreign text that may enter a message


class JaxosimError(Exception):
    """The base of all exceptions of jaxosim."""


class OsimFormatError(JaxosimError, ValueError):
    """The file is not a readable OpenSim model: the message names file, element and expectation."""


class OsimFormatWarning(UserWarning):
    """A model file is wrong in a way that OpenSim passes over: file, line, how it was read."""


class UnsupportedComponentError(JaxosimError, ValueError):
    """The file is a model, but holds components we do not simulate; the message sums them up.

    Attributes:
      unsupported: every one of them, as `models.spec.UnsupportedSpec`: class, name, reason.
    """

    def __init__(self, message: str, unsupported: tuple = ()):
        """A message for people, and what it sums up."""
        super().__init__(message)
        self.unsupported = unsupported


class ModelMismatchError(JaxosimError, ValueError):
    """Arrays of a size or kind that does not belong to this model."""


class TableFormatError(JaxosimError, ValueError):
    """The file is no table or archive of ours, or lacks what was asked of it: file, line, why."""


class MissingExtraError(JaxosimError, ImportError):
    """A library is not installed; the message says which extra of jaxosim brings it."""


class TableFormatWarning(UserWarning):
    """A table is wrong in a way that OpenSim passes over: file, lines, how it was read."""


def quote(text: str) -> str:
    """Foreign text made fit for a message: escaped and short."""
    short = text if len(text) <= QUOTED_LENGTH else text[:QUOTED_LENGTH] + "…"
    return repr(short)
