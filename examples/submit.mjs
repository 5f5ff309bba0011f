// Submit a request over HTTP, follow its run as it happens, and list its files. Node 18 or newer, no packages.
//
//     ORDERS_URL=http://127.0.0.1:8000 ORDERS_TOKEN=pot_… node examples/submit.mjs KEY order.json
//
// Needs `planet-orders web`, and a token with the scopes submit and read, if there are tokens.
// Running it again with the same key buys nothing: it is the same run.

import { readFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";

const URL_OF_FLEET = (process.env.ORDERS_URL ?? "http://127.0.0.1:8000").replace(/\/$/, "");
const AUTHORIZATION = process.env.ORDERS_TOKEN ? { Authorization: `Bearer ${process.env.ORDERS_TOKEN}` } : {};
const FINAL = new Set(["done", "partial", "failed", "cancelled", "expired"]);
const PAUSE_MS = 2000;

/** What the fleet answers instead of what was asked for: a problem document (RFC 9457). */
class Problem extends Error {
  constructor(status, document) {
    super(document.detail ?? document.title ?? `status ${status}`);
    this.status = status;
    this.errors = document.errors ?? []; // [{field, message}]
  }
}

/** One call. A lost connection and 503 are tried again: a POST must have a key that makes that harmless. */
async function call(path, options = {}) {
  for (let tries = 1; ; tries += 1) {
    try {
      const headers = { Accept: "application/json", ...AUTHORIZATION, ...options.headers };
      const answer = await fetch(URL_OF_FLEET + path, { ...options, headers });
      if (answer.ok) return answer;
      throw new Problem(answer.status, await answer.json().catch(() => ({})));
    } catch (error) {
      if ((error instanceof Problem && error.status !== 503) || tries === 5) throw error;
      await pause(PAUSE_MS * tries);
    }
  }
}

async function submit(request, key) {
  const headers = { "Content-Type": "application/json", "Idempotency-Key": key };
  return (await call("/v1/runs", { method: "POST", headers, body: JSON.stringify(request) })).json();
}

const look = async (runId) => (await call(`/v1/runs/${runId}`)).json();

/** The server-sent events of a stream: {id, event, data}. */
async function* readEvents(answer) {
  let event = {};
  let rest = "";
  for await (const text of answer.body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop();
    for (const line of lines) {
      const [, field, value] = line.match(/^(\w+): ?(.*)$/) ?? [];
      if (field) event[field] = value;
      if (line === "" && event.data) yield event;
      if (line === "") event = {};
    }
  }
}

/** Tell of each move until the run has ended; a stream that is cut goes on behind the last event. */
async function follow(runId, tell) {
  const headers = { Accept: "text/event-stream" };
  for (;;) {
    const listening = new AbortController();
    try {
      const answer = await call(`/v1/events?run_id=${runId}`, { headers, signal: listening.signal });
      const run = await look(runId); // once the stream is open, so that nothing happens in between
      if (FINAL.has(run.state)) return run;
      for await (const { id, data } of readEvents(answer)) {
        headers["Last-Event-ID"] = id;
        const move = JSON.parse(data);
        tell(move);
        if (FINAL.has(move.state)) return await look(runId);
      }
    } catch (error) {
      if (error instanceof Problem) throw error;
    } finally {
      listening.abort();
    }
    await pause(PAUSE_MS);
  }
}

const [key, path] = process.argv.slice(2);
try {
  const { run_id: runId, created } = await submit(JSON.parse(await readFile(path, "utf-8")), key);
  console.log(`${runId}  ${created ? "submitted" : "known"}`);
  const run = await follow(runId, (move) => console.error(`${move.at}  ${move.state}  ${move.reason}`));
  console.log(`${runId}  ${run.state}`);
  for (const file of run.files) console.log(`    ${file.path}  ${file.verified ? "verified" : "not verified"}`);
  process.exitCode = ["done", "partial"].includes(run.state) ? 0 : 1;
} catch (error) {
  console.error(`Error: ${error.message}`);
  for (const { field, message } of error.errors ?? []) console.error(`    ${field}: ${message}`);
  process.exitCode = 1;
}
