"""What keeps a tired person from harm: emptied namespaces, misspelt names, a curl that strips line ends."""

from __future__ import annotations

from tests.integration.api.client import ENVIRONMENT, Api, Place, fresh


def test_publish__draft_without_anything__is_refused_until_it_is_meant(api: Api, place: Place) -> None:
    """`curl -d @file` strips line ends and makes one comment line of a whole file."""
    first = place.release("# a\nport=80\n")
    place.write("# a port=80")

    refused = place.publish()
    assert (refused.status_code, refused.json()["code"]) == (409, "would_empty")
    assert place.releases[0]["id"] == first

    meant = place.publish(body={"namespaces": [place.target | {"may_empty": True}]})
    assert meant.status_code == 201
    assert api.ok("GET", f"{place.path}/releases/{place.releases[0]['id']}")["configurations"] == {}


def test_publish__document_without_text__is_refused_until_it_is_meant(api: Api) -> None:
    """A blank document is as empty as a namespace without keys."""
    app = api.app()
    api.ok("POST", f"/environments/{ENVIRONMENT}/apps/{app}/namespaces", {"name": "notes.txt"})
    place = Place(api, app, "notes.txt")
    place.release("something")
    place.write(" \n")
    assert place.publish().json()["code"] == "would_empty"


def test_reads__first_missing_part_of_a_path__is_named(api: Api, place: Place) -> None:
    """A misspelt environment or app is not reported as a missing namespace."""
    inside = f"apps/{place.app}/clusters/default/namespaces/application"
    for path, code in (
        (f"/environments/PROD/{inside}", "environment_not_found"),
        (f"/environments/DEV/apps/{fresh('app')}/clusters/default/namespaces/application/text", "app_not_found"),
        (f"/environments/DEV/apps/{place.app}/clusters/nowhere/namespaces/application", "cluster_not_found"),
        (f"/environments/DEV/apps/{place.app}/clusters/default/namespaces/nothing/items", "namespace_not_found"),
    ):
        answer = api.call("GET", path)
        assert (answer.status_code, answer.json()["code"]) == (404, code), path


def test_text__with_another_content_type__says_how_to_send_a_file(place: Place) -> None:
    """Whoever adds the header and keeps `-d` would lose every line end."""
    answer = place.write_text("a=1\n", headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert answer.status_code == 415
    assert "--data-binary" in answer.json()["detail"]


def test_namespace__created__answers_the_first_revision(api: Api) -> None:
    """So that the first write needs no read."""
    app = api.app()
    made = api.call("POST", f"/environments/{ENVIRONMENT}/apps/{app}/namespaces", {"name": "server.properties"})
    assert (made.status_code, made.json()["name"], made.headers["etag"]) == (201, "server", '"1"')
    assert Place(api, app, "server").write_text("a=1\n", revision=1).status_code == 200


def test_problem__reason_stands_before_the_details(place: Place) -> None:
    """Both sides of a conflict can be long; in a terminal the reason must not scroll away."""
    place.write("a=1\n")
    answer = place.write_text("a=2\n", revision=1)
    assert list(answer.json())[:6] == ["type", "title", "status", "detail", "code", "request_id"]
    assert {"theirs", "yours"} <= set(answer.json())
