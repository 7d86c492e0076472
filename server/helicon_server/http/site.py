"""The management side of a node as one ASGI application: ``/api/v1``, its documentation, and ``/``."""

from __future__ import annotations

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from .api import docs, openapi
from .api.dispatch import Management, routes, unknown_path
from .api.endpoints import ENDPOINTS


def management_site(management: Management, version: str) -> Starlette:
    """Builds the application. It has no lifespan of its own: the composition root opens and closes what it uses."""
    described = openapi.document(ENDPOINTS, version)
    as_json, as_page = orjson.dumps(described, option=orjson.OPT_INDENT_2), docs.page(described)

    async def openapi_json(_: Request) -> Response:
        return Response(as_json, media_type="application/json")

    async def docs_page(_: Request) -> Response:
        headers = {"Content-Security-Policy": docs.POLICY, "X-Content-Type-Options": "nosniff"}
        return Response(as_page, headers=headers, media_type="text/html")

    async def docs_style(_: Request) -> Response:
        return Response(docs.STYLE, media_type="text/css")

    async def home(_: Request) -> Response:
        return RedirectResponse("/api/docs", status_code=307)

    async def missing(request: Request, _: Exception) -> Response:
        return unknown_path(request)

    site = Starlette(
        routes=[
            Route("/", home),
            Route("/api/openapi.json", openapi_json),
            Route("/api/docs", docs_page),
            Route("/api/docs.css", docs_style),
            *routes(ENDPOINTS, management),
        ],
        exception_handlers={404: missing},
    )
    site.router.redirect_slashes = False  # one spelling of a path, and no Location made of a client's Host header
    return site
