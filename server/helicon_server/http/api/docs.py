"""``/api/docs``: the OpenAPI document as one page for people. No script, so the strictest content policy holds."""

from __future__ import annotations

from html import escape
from typing import Any

POLICY = "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'"

STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5b6675; --line: #d9dee6; --paper: #fff; --code: #f4f6f9;
  --get: #0b6bcb; --post: #1a7f45; --put: #a05a00; --delete: #b3261e }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e9f0; --soft: #9aa6b6; --line: #2d3642; --paper: #12161c;
  --code: #1a2029; --get: #6cb2ff; --post: #5fd08c; --put: #f0b25e; --delete: #ff8a80 } }
* { box-sizing: border-box }
body { margin: 0; font: 15px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--paper) }
main { max-width: 60rem; margin: 0 auto; padding: 2rem 1.25rem 4rem }
h1 { font-size: 1.6rem; margin: 0 0 .25rem }
h2 { margin: 2.5rem 0 .5rem; font-size: 1.15rem; text-transform: capitalize }
p { margin: .4rem 0; color: var(--soft) } a { color: var(--get) }
details { border-top: 1px solid var(--line) } details:last-of-type { border-bottom: 1px solid var(--line) }
summary { display: grid; grid-template-columns: 4.2rem 1fr 1rem; gap: 0 .8rem; padding: .5rem .2rem; cursor: pointer }
summary::after { content: "+"; grid-area: 1 / 3; color: var(--soft) } details[open] > summary::after { content: "–" }
summary > :not(b) { grid-column: 2 }
summary:hover { background: var(--code) }
summary:focus-visible { outline: 2px solid var(--get) }
b { font: 600 .8rem/1.9 ui-monospace, monospace; grid-row: span 2 }
.get { color: var(--get) } .post { color: var(--post) } .put { color: var(--put) } .delete { color: var(--delete) }
code, pre { font: .85rem/1.6 ui-monospace, monospace; overflow-wrap: anywhere }
summary code { color: var(--soft) }
.in { padding: 0 .2rem 1rem 5.2rem } pre { background: var(--code); padding: .8rem; overflow: auto; border-radius: 6px }
table { border-collapse: collapse; width: 100% } td, th { text-align: left; padding: .25rem .6rem .25rem 0;
  vertical-align: top; font-size: .9rem } th { color: var(--soft); font-weight: 500 }
@media (max-width: 40rem) { .in { padding-left: .2rem } }
"""


_FIRST_STEPS = """\
API=http://localhost:8080/api/v1; TOKEN=$(helicon-server token create --name me)
AUTH="Authorization: Bearer $TOKEN"; JSON="Content-Type: application/json"

# An app, and a namespace in all its clusters; a new namespace has revision 1.
curl -X POST $API/apps -H "$AUTH" -H "$JSON" -d '{"app_id": "shop"}'
curl -X POST $API/environments/DEV/apps/shop/namespaces -H "$AUTH" -H "$JSON" -d '{"name": "routes.json"}'

# A whole file as its draft. --data-binary, because -d strips line ends. The answer's ETag is the next revision.
NS=$API/environments/DEV/apps/shop/clusters/default/namespaces/routes.json
curl -i -X PUT $NS/text -H "$AUTH" -H 'If-Match: "1"' -H 'Content-Type: text/plain' --data-binary @routes.json

# What would change, then publish: one or several namespaces, all or none.
curl $NS/diff -H "$AUTH"
curl -X POST $API/environments/DEV/releases -H "$AUTH" -H "$JSON" \\
  -d '{"namespaces": [{"app": "shop", "namespace": "routes.json", "revision": 2}]}'

# What is live, and back to an earlier release under a new id.
curl $NS/releases -H "$AUTH"
curl -X POST $NS/rollback -H "$AUTH" -H "$JSON" -d '{"to": 1, "live": 2}'
"""


def page(document: dict[str, Any]) -> str:
    """The page of an OpenAPI document that ``openapi.document`` made."""
    by_tag: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            by_tag.setdefault(operation["tags"][0], []).append(_operation(document, path, method, operation))
    sections = "".join(f"<h2>{escape(tag)}</h2>{''.join(entries)}" for tag, entries in by_tag.items())
    info = document["info"]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(info['title'])}</title>"
        '<link rel="icon" href="data:,"><link rel="stylesheet" href="/api/docs.css"></head><body><main>'
        f"<h1>{escape(info['title'])}</h1><p>Version {escape(info['version'])}. {escape(info['description'])} "
        'As a file: <a href="/api/openapi.json">openapi.json</a>.</p>'
        "<p>Every request but sign-in carries <code>Authorization: Bearer &lt;token&gt;</code>; "
        "<code>helicon-server token create</code> makes a token.</p>"
        f'<details><summary><b class="post">START</b><span>From nothing to a release with curl</span>'
        f'<code>five minutes</code></summary><div class="in"><pre>{escape(_FIRST_STEPS)}</pre></div></details>'
        f"{sections}</main></body></html>"
    )


def _operation(document: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><th><code>{escape(p['name'])}</code></th><td>{p['in']}{'' if p['required'] else ', optional'}</td>"
        f"<td>{escape(p.get('description', ''))}</td></tr>"
        for p in operation["parameters"]
    )
    parts = [f"<table>{rows}</table>"] if rows else []
    if "x-helicon-right" in operation:
        parts.insert(0, f"<p>Needs the right to <code>{operation['x-helicon-right']}</code>.</p>")
    if "requestBody" in operation:
        parts.append(_content("Sends", document, operation["requestBody"]["content"]))
    statuses = []
    for status, response in operation["responses"].items():
        if status.startswith("2") and "content" in response:
            parts.append(_content(f"Answers {status}", document, response["content"]))
        statuses.append(f"<code>{status}</code> {escape(response['description'])}")
    parts.append(f"<p>{' · '.join(statuses)}</p>")
    return (
        f'<details id="{operation["operationId"]}"><summary><b class="{method}">{method.upper()}</b>'
        f"<span>{escape(operation['summary'])}</span><code>{escape(path)}</code></summary>"
        f'<div class="in">{"".join(parts)}</div></details>'
    )


def _content(what: str, document: dict[str, Any], content: dict[str, Any]) -> str:
    ((media, body),) = content.items()
    shown = escape(_shape(document, body["schema"], 0))
    return f"<p>{what} <code>{media}</code></p><pre>{shown}</pre>"


def _shape(document: dict[str, Any], schema: dict[str, Any], depth: int) -> str:
    """A schema in the form of the JSON that it describes."""
    if "$ref" in schema:
        return _shape(document, document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], depth)
    if "enum" in schema:
        return " | ".join(f'"{value}"' for value in schema["enum"])
    if "anyOf" in schema:
        return " | ".join(_shape(document, option, depth) for option in schema["anyOf"])
    if schema.get("type") == "array":
        return f"[{_shape(document, schema.get('items', {}), depth)}, …]"
    if schema.get("type") == "object" and "properties" in schema:
        inner, required = "  " * (depth + 1), set(schema.get("required", ()))
        lines = [
            f'{inner}"{name}"{"" if name in required else "?"}: {_shape(document, part, depth + 1)}'
            + (f"   // {part['description']}" if "description" in part else "")
            for name, part in schema["properties"].items()
        ]
        return "{\n" + "\n".join(lines) + "\n" + "  " * depth + "}"
    if schema.get("type") == "object":
        return '{"<key>": ' + _shape(document, _values(schema), depth) + ", …}"
    return str(schema.get("format") or schema.get("type") or "any")


def _values(schema: dict[str, Any]) -> dict[str, Any]:
    values = schema.get("additionalProperties")
    return values if isinstance(values, dict) else {}
