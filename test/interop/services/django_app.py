"""A Django service that answers with what it read: `wsgi` and `asgi` for the servers that run it."""
import json

import django
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import JsonResponse
from django.urls import re_path

settings.configure(SECRET_KEY="of a test", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, MIDDLEWARE=[], LOGGING_CONFIG=None)


def echo(request):
    body, form = {}, {}
    try:
        body = json.loads(request.body)
    except ValueError:
        pass
    try:
        form = request.POST.dict()
    except Exception:  # it refuses the form
        pass
    roles = body.get("roles", []) if isinstance(body, dict) else []
    return JsonResponse({"service": "django", "method": request.method, "path": request.path_info, "query": dict(request.GET.lists()), "headers": {k: v for k, v in request.META.items() if k.startswith(("HTTP_", "REMOTE_USER"))},
                         "body": body, "form": form, "admin": isinstance(roles, (dict, list, str)) and "admin" in roles})


urlpatterns = [re_path(r"", echo)]
django.setup()
wsgi = WSGIHandler()
asgi = ASGIHandler()
