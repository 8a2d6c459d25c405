// Follows changes with the clients of graphql-ws and graphql-sse, as pages and programs do. Called with the address of the
// service and a token; says `ok` and what was seen, or fails.
import assert from "node:assert/strict";
import { createClient as overSocket, CloseCode } from "graphql-ws";
import { createClient as overEvents } from "graphql-sse";
import WebSocket from "ws";

const [address, token] = process.argv.slice(2);
const CHANGED = "subscription ($after: String) { recordChanged(after: $after) { cursor kind recordId } }";
const REGISTER = `mutation ($input: RegisterPatientInput!) { registerPatient(input: $input) { patient { id } } }`;
const ada = { input: { legalName: { given: "Ada", family: "Lovelace" }, birthDate: "1990-01-02" } };

const socketClient = (more = {}) =>
  overSocket({
    url: `ws://${address}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: () => ({ authorization: `Bearer ${token}` }),
    ...more,
  });
const eventsClient = () =>
  overEvents({ url: `http://${address}/graphql`, headers: () => ({ authorization: `Bearer ${token}` }) });

const register = async () => {
  const answer = await fetch(`http://${address}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
    body: JSON.stringify({ query: REGISTER, variables: ada }),
  });
  return (await answer.json()).data.registerPatient.patient.id;
};
const first = async (results) => {
  for await (const result of results) return result;
};

// Queries, mutations and errors.
for (const [name, connect] of [["graphql-ws", socketClient], ["graphql-sse", eventsClient]]) {
  // A client closes its socket when it has nothing to do, and waits a while before it opens another.
  let client = connect();
  const me = await first(client.iterate({ query: "{ me { id } }" }));
  assert.match(me.data.me.id, /^staff_/, name);
  client = connect();
  const wrong = await first(client.iterate({ query: "{ nothing }" })).catch((errors) => ({ errors }));
  assert.equal(wrong.errors[0].extensions.code, "GRAPHQL_VALIDATION_FAILED", name);
  // What happens is told, and after the last cursor it goes on.
  client = connect();
  const changes = client.iterate({ query: CHANGED });
  const next = changes.next();
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const id = await register();
  const told = (await next).value.data.recordChanged;
  assert.deepEqual([told.kind, told.recordId], ["PATIENT", id], name);
  const missed = [await register(), await register()];
  await changes.return();
  client = connect();
  const again = client.iterate({ query: CHANGED, variables: { after: told.cursor } });
  const seen = [];
  for await (const result of again) {
    seen.push(result.data.recordChanged.recordId);
    if (seen.length === missed.length) break;
  }
  assert.deepEqual(seen, missed, name);
}
// A mutation over the socket.
const client = socketClient();
const done = await first(client.iterate({ query: REGISTER, variables: ada }));
assert.match(done.data.registerPatient.patient.id, /^patient_/);
client.dispose();
// Whoever may not connect is told so, and the client gives up.
const closed = [];
const nobody = socketClient({
  connectionParams: { authorization: "Bearer clinic_short" },
  retryAttempts: 0,
  on: { closed: (event) => closed.push(event.code) },
});
await assert.rejects(first(nobody.iterate({ query: "{ me { id } }" })), (event) => event.code === CloseCode.Forbidden);
assert.deepEqual(closed, [CloseCode.Forbidden]);
console.log("ok");
process.exit(0);
