"""The client protocol over HTTP: a plain ASGI application around the delivery plane's decision."""

from helicon_server.http.client_api.asgi import ClientApi

__all__ = ["ClientApi"]
