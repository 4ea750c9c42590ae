"""The cache: answers that are given again, to the same question or to one that means the same.

What is kept, for whom and for how long, a policy of the deployment or route says; guards hold on every answer.
"""

from mainspring.serving.cache.models import CachePolicy, Hit, NotCached

__all__ = ["CachePolicy", "Hit", "NotCached"]
