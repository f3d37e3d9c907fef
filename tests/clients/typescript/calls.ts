// Calls a gateway by what openapi-typescript makes of its document. What does not fit the types is not compiled, and what does not
// fit them when it is run fails. scripts/clients runs it: GATEWAY and GATEWAY_KEY say where and as whom, VENDOR where a simulated vendor
// is told to fail.

import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type Schemas = components["schemas"];

declare const process: { env: Record<string, string | undefined> };

const baseUrl = process.env.GATEWAY ?? "";
const client = createClient<paths>({
  baseUrl,
  headers: { Authorization: `Bearer ${process.env.GATEWAY_KEY}` },
  // Several states stand in one parameter, as the document says; the types do not tell the client.
  querySerializer: { array: { style: "form", explode: false } },
});
const header = { "Merchant-Id": "acme" };

function holds(what: string, so: boolean, seen: unknown): asserts so {
  if (!so) throw new Error(`${what}: ${JSON.stringify(seen)}`);
}

// What has no arm here is not compiled: every state is in the document.
function hasEnded(state: Schemas["DeliveryState"]): boolean {
  switch (state) {
    case "pending": case "in_flight": case "retrying": case "waiting":
      return false;
    case "succeeded": case "superseded": case "failed": case "discarded":
      return true;
  }
}

function person(number: number): Schemas["UpsertRequest"] {
  return {
    reference: `TS-${number}`, kind: "person", given_name: "Ann", family_name: "Lee",
    email: `ts${number}@example.com`, phone: `+120255502${10 + number}`, status: "active", tags: ["vip"],
  };
}

// @ts-expect-error A member that the gateway refuses is refused by the compiler.
person(0).given_nmae = "Ann";
// @ts-expect-error So is a word that is none of the known ones.
person(0).kind = "robot";

async function upsert(): Promise<string> {
  const { data, error, response } = await client.POST("/v1/customers", { params: { header }, body: person(1) });
  holds("an upsert is done", response.status === 201 && data !== undefined, error);
  holds("it says where the customer is", response.headers.get("Location") === `/v1/customers/${data.customer.id}`, data);
  const outcomes = data.deliveries.map((one): Schemas["Outcome"] | null | undefined => one.outcome);
  holds("vendors made a record", outcomes.length === 3 && outcomes.every((one) => one === "created" || one === "upserted"), outcomes);
  holds("every delivery has ended", data.deliveries.every((one) => hasEnded(one.state)), data);
  return data.customer.id;
}

async function isRefused(): Promise<void> {
  const body = { ...person(2), email: "none", country: "US" } as Schemas["UpsertRequest"];
  const { error, response } = await client.POST("/v1/customers", { params: { header }, body });
  holds("it is refused", response.status === 422 && error !== undefined, error);
  const codes = error.errors.map((one): Schemas["WrongCode"] => one.code).sort();
  holds("each thing is named", codes.join() === "invalid_email,unknown_field", codes);
  holds("there are no receipts", !("deliveries" in error), error);
  const page = await fetch(new URL(error.type, baseUrl));
  holds("its type leads to a page", page.ok && (await page.text()).includes(error.code), error.type);
}

async function isRejected(): Promise<void> {
  const scripted = await fetch(`${process.env.VENDOR}/faults`, {
    method: "PUT", body: JSON.stringify([{ effect: { kind: "answer", status: 422 }, times: 1 }]),
  });
  holds("the simulated vendor is to refuse the next call", scripted.ok, scripted.status);
  const { error, response } = await client.POST("/v1/customers", { params: { header }, body: person(3) });
  holds("a vendor refuses it", response.status === 422 && error !== undefined, error);
  holds("the receipts stand beside", "deliveries" in error && error.code === "provider_rejected", error);
  const failed = error.deliveries.find((one) => one.state === "failed");
  holds("one of them says why", failed?.error?.kind === "rejected", failed);
}

async function plan(id: string): Promise<void> {
  const body = { ...person(1), id, given_name: "Anna" };
  const { data, error } = await client.POST("/v1/customers/plan", { params: { header }, body });
  holds("a plan is made", data !== undefined, error);
  holds("each connection is planned", data.connections.every((one) => one.action === "update" || one.action === "upsert"), data);
}

async function batch(): Promise<void> {
  const lines: Schemas["BatchLine"][] = [
    { ...person(4), idempotency_key: "ts-4" }, { ...person(5), idempotency_key: "ts-5" }, { given_name: "Nobody" },
  ];
  const { data, error } = await client.POST("/v1/customers/batch", {
    params: { header }, parseAs: "text", headers: { "Content-Type": "application/x-ndjson" },
    body: lines[0], bodySerializer: () => lines.map((line) => JSON.stringify(line)).join("\n"),
  });
  holds("a batch is answered", data !== undefined, error);
  const answers = data.trim().split("\n").map((line) => JSON.parse(line) as Schemas["BatchAnswer"]);
  const told = answers.sort((one, other) => one.line - other.line)
    .map((one) => ("problem" in one ? one.problem.code : one.status));
  holds("each line is", told.join() === "201,201,validation_failed", told);
}

async function read(id: string): Promise<void> {
  const customers = await client.GET("/v1/customers", { params: { header, query: { kind: "person", status: "active", limit: 200 } } });
  holds("customers are listed", !!customers.data?.data.some((one) => one.id === id), customers.error);
  const history = await client.GET("/v1/customers/{id}/history", { params: { header, path: { id } } });
  holds("the history has what was made", history.data?.data[0].version === 1, history.error);
  const states: Schemas["DeliveryState"][] = ["succeeded", "failed"];
  const deliveries = await client.GET("/v1/deliveries", { params: { header, query: { state: states, limit: 200 } } });
  const listed = deliveries.data?.data ?? [];
  holds("deliveries are listed", listed.some((one) => one.customer_id === id), deliveries.error);
  holds("no others are", listed.every((one) => states.includes(one.state)), listed);
  const unknown = await client.GET("/v1/customers/{id}", { params: { header, path: { id: "cus_1" } } });
  const code: Schemas["ProblemCode"] | undefined = unknown.error?.code;
  holds("what is not there is not found", code === "not_found", unknown);
}

async function attention(): Promise<void> {
  const { data, error } = await client.GET("/v1/attention", { params: { header } });
  holds("attention is told", data !== undefined, error);
  const letters = data.data.find((one) => one.code === "dead_letters");
  holds("the dead letter needs somebody", letters?.subject === "connection" && letters.actions.includes("replay"), data);
}

const id = await upsert();
await isRefused();
await plan(id);
await batch();
await read(id);
await isRejected();
await attention();
console.log("TypeScript: upsert, plan, batch, list, history, deliveries, attention");
