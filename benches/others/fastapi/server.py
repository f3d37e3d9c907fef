"""The same job as src/bin/bare.rs in Python, as FastAPI and httpx want it written.

python -m uvicorn server:app, with VENDOR and KEY in the environment.
"""

import os
from contextlib import asynccontextmanager
from typing import Optional

import httpx
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

HEADERS = {"x-api-key": os.environ["KEY"], "x-merchant-id": "m-1"}
URL = os.environ["VENDOR"] + "/customers/add-update"


class Customer(BaseModel):
    reference: str
    given_name: str
    family_name: Optional[str] = None
    email: Optional[str] = None
    phone: Optional[str] = None
    status: Optional[str] = None


@asynccontextmanager
async def lifespan(app: FastAPI):
    limits = httpx.Limits(max_connections=1024, max_keepalive_connections=1024)
    async with httpx.AsyncClient(headers=HEADERS, limits=limits, timeout=60, trust_env=False) as client:
        app.state.client = client
        yield


app = FastAPI(lifespan=lifespan)


@app.get("/livez")
async def livez():
    return {"ok": True}


@app.post("/v1/customers")
async def upsert(customer: Customer):
    body = {
        "externalId": customer.reference,
        "firstName": customer.given_name,
        "lastName": customer.family_name,
        "email": customer.email,
        "phoneNumber": customer.phone,
        "active": customer.status != "inactive",
    }
    body = {name: value for name, value in body.items() if value is not None}
    answer = await app.state.client.post(URL, json=body)
    if answer.status_code >= 300:
        raise HTTPException(502, f"the vendor answered {answer.status_code}")
    return {"customer": {"reference": customer.reference}, "state": "succeeded", "record": answer.json()}
