"""A Flask service that answers with what it read."""
from flask import Flask, jsonify, request

app = Flask(__name__)


@app.before_request  # every method and every path
def echo():
    form = request.form.to_dict()
    body = request.get_json(force=True, silent=True) or {}
    roles = body.get("roles", []) if isinstance(body, dict) else []
    return jsonify({"service": "flask", "method": request.method, "path": request.path, "query": request.args.to_dict(flat=False), "headers": {k: v for k, v in request.environ.items() if k.startswith(("HTTP_", "REMOTE_USER"))},
                    "body": body, "form": form, "admin": isinstance(roles, (dict, list, str)) and "admin" in roles})
