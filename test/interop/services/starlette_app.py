"""A Starlette service (FastAPI is built on Starlette) that answers with what it read."""
import json

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route


class Echo:
    def __init__(self, admin):
        self.admin = admin

    async def __call__(self, scope, receive, send):
        request = Request(scope, receive)
        body, form = {}, {}
        raw = await request.body()
        try:
            body = json.loads(raw)
        except ValueError:
            pass
        try:
            form = {k: v for k, v in (await request.form()).items() if isinstance(v, str)}
        except Exception:  # it refuses the form
            pass
        roles = body.get("roles", []) if isinstance(body, dict) else []
        answer = {"service": "starlette", "method": request.method, "path": request.url.path, "query": {k: request.query_params.getlist(k) for k in request.query_params}, "headers": dict(request.headers), "body": body, "form": form,
                  "admin": self.admin or isinstance(roles, (dict, list, str)) and "admin" in roles}
        await JSONResponse(answer)(scope, receive, send)


app = Starlette(routes=[Route("/secret/report", Echo(True)), Route("/{rest:path}", Echo(False))])
