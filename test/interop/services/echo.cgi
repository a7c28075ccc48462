"""A CGI script that answers with what it read."""
import json
import os
import sys
import urllib.parse

raw = sys.stdin.buffer.read(int(os.environ.get("CONTENT_LENGTH") or 0))
body, form = {}, {}
try:
    body = json.loads(raw)
except ValueError:
    pass
if os.environ.get("CONTENT_TYPE", "").lower().startswith("application/x-www-form-urlencoded"):
    form = dict(urllib.parse.parse_qsl(raw.decode("latin-1")))
roles = body.get("roles", []) if isinstance(body, dict) else []
print("Content-Type: application/json\n")
print(json.dumps({"service": "cgi", "method": os.environ["REQUEST_METHOD"], "path": os.environ.get("PATH_INFO"), "query": urllib.parse.parse_qs(os.environ.get("QUERY_STRING")),
                  "headers": {k: v for k, v in os.environ.items() if k.startswith(("HTTP_", "REMOTE_USER"))}, "body": body, "form": form, "admin": isinstance(roles, (dict, list, str)) and "admin" in roles}))
