// Buttons that act: <button data-post="/v1/…"> sends a POST, after the question in `data-confirm` if it has one, and tells
// what became of it: `data-done`, in which {name} is that field of the answer, or the detail of the problem document.
"use strict";

const said = document.getElementById("said");
const refused = document.getElementById("refused");
const outcome = document.getElementById("outcome");
const busy = new WeakSet();

function tell(text, isGood) {
  said.textContent = isGood ? text : "";
  refused.textContent = isGood ? "" : text;
  outcome.hidden = !text;
}

// What a refused call says of itself: its problem document, or as much as there is.
async function problemOf(answer) {
  const problem = await answer.json().catch(() => ({}));
  return { detail: `The web process answered ${answer.status} ${answer.statusText}.`, errors: [], ...problem };
}

async function act(button) {
  const { post, confirm: question, done = "Done." } = button.dataset;
  if (busy.has(button) || (question && !window.confirm(question))) return;
  busy.add(button);
  button.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(post, { method: "POST" });
    if (answer.ok) {
      const fields = await answer.json().catch(() => ({}));
      tell(done.replace(/\{(\w+)\}/g, (whole, name) => fields[name] ?? whole), true);
    } else tell((await problemOf(answer)).detail, false);
  } catch {
    tell("The web process did not answer; whether it was done is not known. Look, and try again.", false);
  }
  busy.delete(button);
  button.removeAttribute("aria-busy");
  document.dispatchEvent(new Event("acted"));
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-post]");
  if (button) act(button);
});
document.getElementById("dismiss").addEventListener("click", () => tell("", true));
