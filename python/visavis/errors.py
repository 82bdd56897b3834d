"""Exceptions of the house: each names the thing, the value found, the value expected and the remedy."""


class Error(Exception):
    """Base of every error that Visavis raises on purpose."""


class InvalidArgument(Error, ValueError):
    """A value handed in is of the wrong kind, width, rate or range."""


class FileError(Error, OSError):
    """A file is missing, unreadable or could not be written."""


class ModelFileError(Error, ValueError):
    """A model file is malformed, truncated or foreign."""


class Unsupported(Error):
    """What was asked for exists, but not in this build, engine or combination."""


class StateError(Error, RuntimeError):
    """A call came at a time when it makes no sense, such as a push after `end()`."""


class FullError(Error, RuntimeError):
    """No room for one more, or no memory: the text says how much there is, and what makes room."""


class InternalError(Error, RuntimeError):
    """A promise inside the library was broken: please report it."""
