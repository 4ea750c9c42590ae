"""Remote: models of providers, asked in their own dialect and answering in the one that serving speaks inside."""

from mainspring.serving.remote.wire import Remotes

__all__ = ["Remotes"]
