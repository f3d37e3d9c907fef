"""Calls a gateway by what openapi-python-client makes of its document. What does not fit the types is refused by mypy, and what does not
fit them when it is run fails. scripts/clients runs it: GATEWAY and GATEWAY_KEY say where and as whom, VENDOR where a simulated vendor is
told to fail."""

import json
import os
from typing import TypeVar

import httpx
from upsert_gateway_client import AuthenticatedClient
from upsert_gateway_client.api.customers import (
    get_customer,
    get_customer_history,
    list_customers,
    plan_upsert,
    upsert_batch,
    upsert_customer,
)
from upsert_gateway_client.api.deliveries import list_deliveries
from upsert_gateway_client.api.operations import list_attention
from upsert_gateway_client.models.attention_action import AttentionAction
from upsert_gateway_client.models.attention_code import AttentionCode
from upsert_gateway_client.models.attention_page import AttentionPage
from upsert_gateway_client.models.batch_line import BatchLine
from upsert_gateway_client.models.customer_status import CustomerStatus
from upsert_gateway_client.models.delivery_error import DeliveryError
from upsert_gateway_client.models.delivery_state import DeliveryState
from upsert_gateway_client.models.error_kind import ErrorKind
from upsert_gateway_client.models.kind import Kind
from upsert_gateway_client.models.outcome import Outcome
from upsert_gateway_client.models.page_customer_record import PageCustomerRecord
from upsert_gateway_client.models.page_history_entry import PageHistoryEntry
from upsert_gateway_client.models.page_listed_delivery import PageListedDelivery
from upsert_gateway_client.models.plan import Plan
from upsert_gateway_client.models.problem import Problem
from upsert_gateway_client.models.problem_code import ProblemCode
from upsert_gateway_client.models.refused_line import RefusedLine
from upsert_gateway_client.models.taken_line import TakenLine
from upsert_gateway_client.models.upsert_answer import UpsertAnswer
from upsert_gateway_client.models.upsert_problem import UpsertProblem
from upsert_gateway_client.models.upsert_request import UpsertRequest
from upsert_gateway_client.models.wrong_code import WrongCode

MERCHANT = "acme"
client = AuthenticatedClient(base_url=os.environ["GATEWAY"], token=os.environ["GATEWAY_KEY"], timeout=httpx.Timeout(30))

T = TypeVar("T")


def one_of(kind: type[T], answer: object) -> T:
    assert isinstance(answer, kind), answer
    return answer


def person(number: int) -> UpsertRequest:
    return UpsertRequest(
        reference=f"PY-{number}",
        kind=Kind.PERSON,
        given_name="Ann",
        family_name="Lee",
        email=f"py{number}@example.com",
        phone=f"+120255503{10 + number}",
        status=CustomerStatus.ACTIVE,
        tags=["vip"],
    )


def upsert() -> str:
    answer = upsert_customer.sync_detailed(client=client, body=person(1), merchant_id=MERCHANT)
    assert answer.status_code == 201, answer
    done = one_of(UpsertAnswer, answer.parsed)
    assert answer.headers["location"] == f"/v1/customers/{done.customer.id}"
    outcomes = [delivery.outcome for delivery in done.deliveries]
    assert len(outcomes) == 3 and set(outcomes) <= {Outcome.CREATED, Outcome.UPSERTED}, outcomes
    assert all(delivery.state is DeliveryState.SUCCEEDED for delivery in done.deliveries), done
    return done.customer.id


def is_refused() -> None:
    body = person(2)
    body.email = "none"
    answer = upsert_customer.sync_detailed(client=client, body=body, merchant_id=MERCHANT)
    refused = one_of(Problem, answer.parsed)
    assert [wrong.code for wrong in refused.errors] == [WrongCode.INVALID_EMAIL], refused
    page = client.get_httpx_client().get(refused.type_)
    assert page.status_code == 200 and refused.code.value in page.text, page


def is_rejected() -> None:
    """The next call of a simulated vendor is refused."""
    faults = [{"effect": {"kind": "answer", "status": 422}, "times": 1}]
    httpx.put(f"{os.environ['VENDOR']}/faults", json=faults).raise_for_status()
    answer = upsert_customer.sync_detailed(client=client, body=person(3), merchant_id=MERCHANT)
    rejected = one_of(UpsertProblem, answer.parsed)
    assert rejected.code is ProblemCode.PROVIDER_REJECTED, rejected
    failed = [one_of(DeliveryError, one.error) for one in rejected.deliveries if one.state is DeliveryState.FAILED]
    assert [error.kind for error in failed] == [ErrorKind.REJECTED], failed


def plan(customer_id: str) -> None:
    body = person(1)
    body.id, body.given_name = customer_id, "Anna"
    planned = one_of(Plan, plan_upsert.sync(client=client, body=body, merchant_id=MERCHANT))
    assert {str(one.action) for one in planned.connections} <= {"update", "upsert"}, planned


def batch() -> None:
    line = BatchLine.from_dict({**person(4).to_dict(), "idempotency_key": "py-4"})
    taken = one_of(TakenLine, upsert_batch.sync(client=client, body=line, merchant_id=MERCHANT))
    assert (taken.line, taken.status) == (1, 201), taken
    # Many lines are more than a generated call knows; its types are those of each.
    lines = [person(5).to_dict(), {"given_name": "Nobody"}]
    answer = client.get_httpx_client().post(
        "/v1/customers/batch",
        content="\n".join(json.dumps(line) for line in lines),
        headers={"Content-Type": "application/x-ndjson", "Merchant-Id": MERCHANT},
    )
    answers = {one["line"]: one for one in map(json.loads, answer.text.splitlines())}
    assert TakenLine.from_dict(answers[1]).status == 201, answers
    problem = RefusedLine.from_dict(answers[2]).problem
    assert problem.code is ProblemCode.VALIDATION_FAILED, problem


def read(customer_id: str) -> None:
    everybody = list_customers.sync(
        client=client, merchant_id=MERCHANT, kind=Kind.PERSON, status=CustomerStatus.ACTIVE, limit=200
    )
    assert any(one.id == customer_id for one in one_of(PageCustomerRecord, everybody).data), everybody
    history = get_customer_history.sync(client=client, id=customer_id, merchant_id=MERCHANT)
    assert [entry.version for entry in one_of(PageHistoryEntry, history).data] == [1], history
    wanted = [DeliveryState.SUCCEEDED]
    deliveries = list_deliveries.sync(client=client, merchant_id=MERCHANT, state=wanted, limit=200)
    listed = one_of(PageListedDelivery, deliveries).data
    assert any(one.customer_id == customer_id for one in listed), deliveries
    assert all(one.state in wanted for one in listed), deliveries
    unknown = one_of(Problem, get_customer.sync(client=client, id="cus_1", merchant_id=MERCHANT))
    assert unknown.code is ProblemCode.NOT_FOUND, unknown


def attention() -> None:
    told = one_of(AttentionPage, list_attention.sync(client=client, merchant_id=MERCHANT))
    letters = [one for one in told.data if one.code is AttentionCode.DEAD_LETTERS]
    assert letters and AttentionAction.REPLAY in letters[0].actions, told


made = upsert()
is_refused()
plan(made)
batch()
read(made)
is_rejected()
attention()
print("Python: upsert, plan, batch, list, history, deliveries, attention")
