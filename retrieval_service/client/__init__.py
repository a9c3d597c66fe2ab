"""The Python client of the search API: ``PlumblineClient``, ``AsyncPlumblineClient``, and a test double for applications' own tests."""

from retrieval_service.client.asynchronous import AsyncPlumblineClient
from retrieval_service.client.problem import PlumblineProblem
from retrieval_service.client.pushed import PushNotLive
from retrieval_service.client.synchronous import PlumblineClient

__all__ = ["AsyncPlumblineClient", "PlumblineClient", "PlumblineProblem", "PushNotLive"]
