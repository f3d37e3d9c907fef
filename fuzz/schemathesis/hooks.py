"""What schemathesis cannot know of the gateway: bodies of many lines, and ids of what is really there."""

import json
import os
import urllib.request

import schemathesis
from hypothesis import strategies as st

ADDRESS = os.environ["GATEWAY"]
KEY = os.environ["GATEWAY_KEY"]


def call(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json", "Merchant-Id": "acme"}
    with urllib.request.urlopen(urllib.request.Request(ADDRESS + path, data, headers)) as answer:
        return json.load(answer)


def customer(number):
    return {
        "reference": f"S-{number}",
        "given_name": "Ann",
        "family_name": "Lee",
        "email": f"s{number}@example.com",
        "phone": f"+120255501{number:02}",
    }


def there():
    """Values that path parameters of each route may have, so that not every answer is 404."""
    made = [call("/v1/customers", customer(number)) for number in range(20)]
    known = {
        "/v1/customers/": [one["customer"]["id"] for one in made],
        "/v1/upserts/": [one["upsert_id"] for one in made],
        "/v1/deliveries/": [delivery["id"] for one in made for delivery in one["deliveries"]],
        "/v1/merchants/": ["acme", "m-1", "m-2"],
    }
    connections = [(one["merchant_id"], one["name"]) for one in call("/v1/connections")["data"]]
    return known, connections


KNOWN, CONNECTIONS = there()


@schemathesis.hook
def map_path_parameters(ctx, path_parameters):
    """Seven of eight times something that is there; else what was thought up."""
    if not path_parameters or hash(str(path_parameters)) % 8 == 0:
        return path_parameters
    pick = hash(str(sorted(path_parameters.items())))
    path = ctx.operation.path
    if "name" in path_parameters:
        merchant, name = CONNECTIONS[pick % len(CONNECTIONS)]
        path_parameters.update(merchant=merchant, name=name)
    if "connection" in path_parameters:
        path_parameters["connection"] = CONNECTIONS[pick % len(CONNECTIONS)][1]
    for start, values in KNOWN.items():
        if path.startswith(start) and "id" in path_parameters:
            path_parameters["id"] = values[pick % len(values)]
    if "direction" in path_parameters:
        path_parameters["direction"] = ("in", "out")[pick % 2]
    return path_parameters


object_line = st.one_of(
    st.builds(json.dumps, st.dictionaries(st.sampled_from(["reference", "email", "phone", "given_name", "id", "x"]), st.text())),
    st.builds(lambda number: json.dumps(customer(number)), st.integers(0, 40)),
)
# A body of empty lines has an empty answer, which no schema of a line fits.
body = st.builds(lambda first, rest: "\n".join([first, *rest]).encode(), object_line, st.lists(object_line | st.text(), max_size=20))
schemathesis.openapi.media_type("application/x-ndjson", body)


@schemathesis.serializer("application/x-ndjson")
def as_lines(ctx, value):
    if isinstance(value, bytes):
        return value
    return "\n".join(json.dumps(one) for one in (value if isinstance(value, list) else [value])).encode()


@schemathesis.deserializer("application/x-ndjson")
def one_of_the_lines(ctx, response):
    """The document describes one line, so one is looked at: another one each time."""
    answers = [json.loads(one) for one in response.content.splitlines() if one]
    return answers[len(response.content) % len(answers)]
