// The form of one request: what is wrong is told at its field, and a second click on Submit orders nothing a second time.
// Without a key the fleet knows the very same request again; one that is to be ordered again gets a key of this form.
"use strict";

const form = document.getElementById("order");
const answerText = document.getElementById("answer");
const checkbox = new Set(["again", "allow_unknown"]);
let ownKey = newKey();
let isSending = false;

function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16)); // randomUUID is not there on plain http
  return "form-" + [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

// The body of the call, or null after telling what is wrong with what was typed.
function readForm() {
  let order;
  try {
    order = JSON.parse(form.elements.request.value);
  } catch (error) {
    showWrong([{ field: "request", message: `It is not JSON: ${error.message}` }]);
    return null;
  }
  if (order === null || typeof order !== "object" || Array.isArray(order)) {
    showWrong([{ field: "request", message: "It must be an object: { … }" }]);
    return null;
  }
  for (const field of form.elements) {
    if (!field.name || field.name === "request") continue;
    if (checkbox.has(field.name)) {
      if (field.checked) order[field.name] = true;
    } else if (field.value && !(field.name === "priority" && field.value === "normal")) order[field.name] = field.value;
  }
  if (form.elements.deadline.value) order.deadline = new Date(form.elements.deadline.value).toISOString();
  return order;
}

// Each message at its field; what is no field of the form stands in the request.
function showWrong(errors) {
  const messages = new Map();
  for (const { field, message } of errors) {
    const isOurs = field !== "request" && document.getElementById(`${field}-wrong`) !== null;
    const place = isOurs ? field : "request";
    const text = isOurs || field === "request" || !field ? message : `${field}: ${message}`;
    messages.set(place, [...(messages.get(place) ?? []), text]);
  }
  for (const field of form.elements) {
    if (!field.name) continue;
    const wrong = messages.get(field.name);
    document.getElementById(`${field.name}-wrong`).textContent = wrong ? wrong.join("\n") : "";
    if (wrong) field.setAttribute("aria-invalid", "true");
    else field.removeAttribute("aria-invalid");
  }
  if (errors.length) tell(errors.length === 1 ? "One field is wrong." : `${errors.length} fields are wrong.`, false);
  form.querySelector("[aria-invalid]")?.focus();
}

async function send(path, button, headers, onAnswer) {
  const order = readForm();
  if (order === null || isSending) return;
  isSending = true;
  button.setAttribute("aria-busy", "true");
  tell("", true);
  showWrong([]);
  answerText.textContent = "";
  try {
    const answer = await fetch(form.dataset.api + path, {
      method: "POST",
      headers: { "Content-Type": "application/json", ...headers(order) },
      body: JSON.stringify(order),
    });
    if (answer.ok) onAnswer(await answer.json());
    else {
      const problem = await problemOf(answer);
      showWrong(problem.errors ?? []);
      if (!problem.errors?.length) tell(problem.detail, false);
    }
  } catch {
    tell("The web process did not answer; whether it was submitted is not known. Submit again: nothing is ordered twice.", false);
  }
  isSending = false;
  button.removeAttribute("aria-busy");
}

function linkTo(runId) {
  const link = document.createElement("a");
  link.href = form.dataset.runs + encodeURIComponent(runId);
  link.textContent = runId;
  return link;
}

function count(number, noun) {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}

function showPreview(preview) {
  const items = preview.items === null ? "items that only Planet can count" : count(preview.items, "item");
  const area = preview.hectares === null ? "an area that the request does not tell" : `${Math.round(preview.hectares).toLocaleString("en")} ha`;
  if (preview.would === "order") answerText.textContent = `It would be ordered, as ${count(preview.orders, "order")}: ${items}, in all ${area}.`;
  else {
    const why = preview.would === "known" ? "Its key has a run already" : "The very same request was ordered lately";
    answerText.replaceChildren(`${why}; nothing would be ordered. `, ...(preview.run_id ? [linkTo(preview.run_id)] : []));
  }
}

function showSubmitted(run) {
  const link = linkTo(run.run_id);
  if (run.created) window.location.assign(link.href);
  else answerText.replaceChildren(run.ordered_before ? "The very same request was ordered lately; nothing was ordered again. Its run: " : "The key has this run already; nothing was ordered again: ", link);
}

form.addEventListener("input", () => {
  ownKey = newKey();
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  const headers = (order) => (order.again && !order.key ? { "Idempotency-Key": ownKey } : {});
  send("/runs", event.submitter ?? form.querySelector("button.main"), headers, showSubmitted);
});
document.getElementById("check").addEventListener("click", (event) => send("/preview", event.target, () => ({}), showPreview));
document.getElementById("fill").addEventListener("click", () => {
  form.elements.request.value = document.getElementById("example").textContent;
  form.elements.request.focus();
  form.elements.request.setSelectionRange(0, 0);
  form.elements.request.scrollTop = 0;
  ownKey = newKey();
});
