"""The three forms of `/configfiles` (Apollo client protocol, section 6)."""

from __future__ import annotations

import json

import pytest

from tests.unit.delivery.world import Client, World, body, header


async def test_properties_form__values_with_separators__are_escaped(world: World, client: Client) -> None:
    """Section 6.1, with its example; no date comment, a newline at the end."""
    await world.publish("shop", "application", {"db.url": "jdbc:x://h:1/a?b=1", "a b": " x y", "中": "文"})
    await client.seen(world)

    answer = await client.get("/configfiles/shop/default/application")

    assert answer.status == 200
    assert header(answer, b"content-type") == b"text/plain;charset=UTF-8"
    assert answer.body.decode() == "db.url=jdbc\\:x\\://h\\:1/a?b\\=1\na\\ b=\\ x y\n中=文\n"


async def test_properties_form__document__is_the_content_entry(world: World, client: Client) -> None:
    """Section 6: the first form shows every release as properties."""
    await world.define("shop", "routes.json")
    await world.publish("shop", "routes.json", {"content": '{"a":1}'})
    await client.seen(world)

    answer = await client.get("/configfiles/shop/default/routes.json")

    assert answer.body == b'content={"a"\\:1}\n'


async def test_json_form__released__is_the_flat_map(world: World, client: Client) -> None:
    """Section 6: the merged configurations alone, values as strings."""
    await world.publish("shop", "application", {"b": "1", "a": "true"})
    await client.seen(world)

    answer = await client.get("/configfiles/json/shop/default/application")

    assert header(answer, b"content-type") == b"application/json;charset=UTF-8"
    assert list(json.loads(answer.body).items()) == [("b", "1"), ("a", "true")]


@pytest.mark.parametrize(
    ("name", "content_type"),
    [
        ("routes.json", b"application/json;charset=UTF-8"),
        ("app.yml", b"application/yaml;charset=UTF-8"),
        ("app.yaml", b"application/yaml;charset=UTF-8"),
        ("log.xml", b"application/xml;charset=UTF-8"),
        ("note.txt", b"text/plain;charset=UTF-8"),
    ],
)
async def test_raw_form__document__is_byte_for_byte_the_content(
    world: World, client: Client, name: str, content_type: bytes
) -> None:
    """Section 6: the type by the suffix; a browser may neither guess another nor run what is inside."""
    text = '<a b="c">\r\n\t中文 & "quotes" \\ 🚀</a>\n'
    await world.define("shop", name)
    await world.publish("shop", name, {"content": text})
    await client.seen(world)

    answer = await client.get(f"/configfiles/raw/shop/default/{name}")

    assert answer.body == text.encode()
    assert header(answer, b"content-type") == content_type
    assert header(answer, b"x-content-type-options") == b"nosniff"
    assert b"sandbox" in (header(answer, b"content-security-policy") or b"")


async def test_raw_form__properties__is_the_text_of_the_first_form(world: World, client: Client) -> None:
    """Section 6."""
    await world.publish("shop", "application", {"a": "1", "b": "x:y"})
    await client.seen(world)

    raw = await client.get("/configfiles/raw/shop/default/application")
    plain = await client.get("/configfiles/shop/default/application")

    assert raw.body == plain.body == b"a=1\nb=x\\:y\n"


async def test_files__empty_release__is_200_with_an_empty_text(world: World, client: Client) -> None:
    """Section 6: empty properties give an empty text, empty content an empty raw body."""
    await world.define("shop", "note.txt")
    await world.publish("shop", "application", {})
    await world.publish("shop", "note.txt", {"content": ""})
    await client.seen(world)

    for target in ("/configfiles/shop/default/application", "/configfiles/raw/shop/default/note.txt"):
        answer = await client.get(target)
        assert (answer.status, answer.body) == (200, b"")
        assert header(answer, b"content-length") == b"0"


async def test_raw_form__document_without_content__is_404(world: World, client: Client) -> None:
    """Section 6; asked twice, because the second answer comes from the store."""
    await world.define("shop", "note.txt")
    await world.publish("shop", "note.txt", {})
    await client.seen(world)

    for _ in range(2):
        answer = await client.get("/configfiles/raw/shop/default/note.txt")
        assert (answer.status, body(answer)["code"]) == (404, "no_content")


@pytest.mark.parametrize("form", ["", "json/", "raw/"])
async def test_files__nothing_released__is_404(client: Client, form: str) -> None:
    answer = await client.get(f"/configfiles/{form}shop/default/application")

    assert (answer.status, body(answer)["code"]) == (404, "not_released")


@pytest.mark.parametrize("form", ["", "json/", "raw/"])
async def test_files__release_key_and_messages__do_not_exist_here(world: World, client: Client, form: str) -> None:
    """Section 6: never a 304, and an empty `releaseKey` means nothing either."""
    release = await world.publish("shop", "application", {"a": "1"})
    await client.seen(world)

    for query in (f"?releaseKey={release.head.key}", "?releaseKey=", "?messages=%7B%7D"):
        for _ in range(2):
            assert (await client.get(f"/configfiles/{form}shop/default/application{query}")).status == 200


@pytest.mark.parametrize("form", ["", "json/", "raw/"])
async def test_files__resolution__is_that_of_configs(world: World, client: Client, form: str) -> None:
    """Section 6: dataCenter, public merge and normalisation as in section 4."""
    await world.define("platform", "redis", public=True)
    await world.publish("platform", "redis", {"a": "public", "b": "public"})
    await world.publish("shop", "redis", {"b": "own"}, cluster="sh")
    await client.seen(world)

    answer = await client.get(f"/configfiles/{form}shop/hz/REDIS.properties?dataCenter=sh")

    expected = b'{"a":"public","b":"own"}' if form == "json/" else b"a=public\nb=own\n"
    assert answer.body == expected


async def test_files__published_again__are_fresh_at_once(world: World, client: Client) -> None:
    """Apollo clients: agollo and apopy read these first, so they may never be older than /configs."""
    await world.publish("shop", "application", {"a": "1"})
    await client.seen(world)
    for form in ("", "json/", "raw/"):
        await client.get(f"/configfiles/{form}shop/default/application")

    await world.publish("shop", "application", {"a": "2"})
    await client.seen(world)

    for form in ("", "json/", "raw/"):
        assert b"2" in (await client.get(f"/configfiles/{form}shop/default/application")).body
