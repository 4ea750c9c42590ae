"""People without a key: what their tokens open, and that they open nothing else."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient
from tests.conftest import make_caller
from tests.surfaces.test_every_face import NoEngines

from mainspring.kernel.access import acting_as
from mainspring.kernel.spans import Span
from mainspring.monitoring import Queues
from mainspring.monitoring.annotation import Question
from mainspring.surfaces.app import build_app
from mainspring.traces import Scores
from mainspring.traces.feedback import Feedback
from mainspring.workspace import Keys, Members, Projects, authenticate, first_start
from mainspring.workspace.key_service import add_key

TRACE = "ab" * 16


def make_key(platform, project, member, **fields):
    rest = {"environment": "production", "note": "", "permissions": None, "models": None, "expires_at": None}
    with platform.begin() as tx:
        return add_key(tx, project, member=member, **{**rest, **fields}).secret


@pytest.fixture
def web(platform):
    at = int(platform.clock.now().timestamp() * 1e9)
    span = Span(trace_id=TRACE, span_id="cd" * 8, project="default", kind="chat", start_ns=at, end_ns=at, input="Why?")
    platform.spans.append([span])
    platform.spans.flush()
    platform.engine_port = NoEngines()
    first_start(platform, owner="ann")
    return TestClient(build_app(platform, dict), raise_server_exceptions=False)


def test_an_end_user_judges_one_answer_from_another_site(platform, web):
    token = Feedback(platform).token(trace_id=TRACE, names=["thumb", "words"]).token
    said = {"token": token, "name": "thumb", "number": 0, "comment": "No."}
    headers = {"origin": "https://shop.example"}
    for number in (0, 1):
        reply = web.post("/api/v1/feedback", json={**said, "number": number}, headers=headers)
        assert (reply.status_code, reply.headers["access-control-allow-origin"]) == (201, "*")
    assert "credentials" not in str(reply.headers)
    [score] = Scores(platform).list_(trace_id=TRACE).items
    assert (score.name, score.number, score.source) == ("thumb", 1, "human")
    assert score.created_by.startswith("end-user:")
    asked = web.options("/api/v1/feedback", headers={**headers, "access-control-request-method": "POST"})
    assert (asked.status_code, asked.headers["access-control-allow-headers"]) == (204, "content-type")


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"token": "x"}, 401),
        ({"name": "other"}, 403),
        ({"number": None, "comment": ""}, 422),
        ({"number": 1e300}, 422),
        ({"trace_id": "0" * 32}, 422),
    ],
)
def test_other_feedback_is_refused_so_that_the_page_can_say_why(platform, web, change, status):
    token = Feedback(platform).token(trace_id=TRACE).token
    said = {"token": token, "name": "feedback", "number": 1, "comment": "", **change}
    reply = web.post("/api/v1/feedback", json={key: value for key, value in said.items() if value is not None})
    assert reply.status_code == status
    assert reply.headers["access-control-allow-origin"] == "*"
    assert reply.json()["error"]["message"]
    assert Scores(platform).list_(trace_id=TRACE).items == []


def test_a_feedback_token_ends(platform, web):
    token = Feedback(platform).token(trace_id=TRACE, hours=1).token
    platform.clock.advance(hours=2)
    assert web.post("/api/v1/feedback", json={"token": token, "name": "feedback", "number": 1}).status_code == 401


def handed_out(platform):
    """What a member hands out with a key: a feedback token and a link to a queue."""
    feedback = Feedback(platform).token(trace_id=TRACE).token
    return feedback, Queues(platform).share("open", "pat").path.partition("#")[2]


def statuses(web, feedback, link):
    said = web.post("/api/v1/feedback", json={"token": feedback, "name": "feedback", "number": 1})
    return said.status_code, web.post("/api/v1/review/next", json={"token": link}).status_code


def test_what_was_handed_out_ends_with_its_maker_and_the_makers_key(platform, web):
    Queues(platform).create("open", [Question(name="good", kind="thumbs")])
    Queues(platform).add("open", [TRACE])
    Members(platform).add("bob", "admin")
    keys = [authenticate(platform, Keys(platform).create("bob").secret) for _ in range(3)]
    made = []
    for key in keys:
        with acting_as(key):
            made.append(handed_out(platform))
    assert [statuses(web, *each) for each in made] == [(201, 200)] * 3
    Keys(platform).revoke(keys[0].key_id)
    Keys(platform).rotate(keys[1].key_id, overlap_hours=1)
    platform.clock.advance(hours=2)
    assert [statuses(web, *each) for each in made] == [(401, 401), (201, 200), (201, 200)]
    Members(platform).update("bob", role="viewer")
    assert statuses(web, *made[2]) == (401, 401)
    Members(platform).remove("bob")
    assert statuses(web, *made[1]) == (401, 401)


def test_what_ended_with_a_member_stays_dead_where_the_member_comes_back(platform, web):
    Queues(platform).create("open", [Question(name="good", kind="thumbs")])
    Queues(platform).add("open", [TRACE])
    Projects(platform).create("lab")
    Members(platform).add("bob", "admin")
    with acting_as(make_caller(project="lab")):
        Members(platform).add("bob", "viewer")
        roaming = make_key(platform, "lab", "bob", roams=True)
    with acting_as(authenticate(platform, roaming, project="default")):
        before = handed_out(platform)
    assert statuses(web, *before) == (201, 200)
    Members(platform).remove("bob")
    assert statuses(web, *before) == (401, 401)
    Members(platform).add("bob", "admin")
    with acting_as(authenticate(platform, roaming, project="default")):
        after = handed_out(platform)
    assert [statuses(web, *before), statuses(web, *after)] == [(401, 401), (201, 200)]


def test_tokens_open_nothing_else(platform, web):
    Queues(platform).create("open", [Question(name="good", kind="thumbs")])
    link = Queues(platform).share("open", "pat").path.partition("#")[2]
    feedback = Feedback(platform).token(trace_id=TRACE).token
    for token in (link, feedback):
        for path in ("/api/v1/queues", "/api/v1/traces", f"/api/v1/traces/{TRACE}"):
            assert web.get(path, headers={"authorization": f"Bearer {token}"}).status_code == 401
    assert web.post("/api/v1/review/next", json={"token": feedback}).status_code == 401
    assert web.post("/api/v1/feedback", json={"token": link, "name": "feedback", "number": 1}).status_code == 401


def test_a_guest_reviews_a_queue(platform, web):
    queues = Queues(platform)
    queues.create("open", [Question(name="good", kind="thumbs")])
    queues.add("open", [TRACE])
    token = queues.share("open", "pat").path.partition("#")[2]
    work = web.post("/api/v1/review/next", json={"token": token}).json()
    assert work["input"] == "Why?"
    answer = {"token": token, "item_id": work["item"]["id"]}
    assert web.post("/api/v1/review/answer", json={**answer, "answers": {"good": 7}}).status_code == 422
    assert web.post("/api/v1/review/answer", json={**answer, "answers": {"good": 1}}).json()["state"] == "done"
    assert web.post("/api/v1/review/next", json={"token": token}).status_code == 404
    [score] = Scores(platform).list_(trace_id=TRACE).items
    assert score.created_by == "guest:pat"
    assert web.post("/api/v1/review/answer", content=b"[" * 5000).status_code == 422


@pytest.mark.parametrize(
    "path", ["/api/v1/feedback", "/api/v1/review/next", "/api/v1/review/answer", "/api/v1/session"]
)
def test_nobody_sends_much_without_a_key(web, path):
    assert web.post(path, content=b"{" + b" " * 300_000 + b"}").status_code == 413


@pytest.mark.parametrize("path", ["/api/v1/feedback", "/api/v1/review/next", "/api/v1/session"])
def test_an_odd_token_is_refused(web, path):
    for token in ("\\ud800", "é.ü", ".", "a" * 4001, "\\u0000"):
        body = f'{{"token": "{token}", "name": "n", "number": 1, "api_key": "{token}"}}'.encode()
        assert 400 <= web.post(path, content=body).status_code < 500


def test_a_link_does_not_open_a_later_queue_of_the_same_name(platform, web):
    queues, asked = Queues(platform), [Question(name="good", kind="thumbs")]
    queues.create("open", asked)
    token = queues.share("open", "pat").path.partition("#")[2]
    queues.delete("open")
    queues.create("open", asked)
    queues.add("open", [TRACE])
    assert web.post("/api/v1/review/next", json={"token": token}).status_code == 401
