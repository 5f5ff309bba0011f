// Retries all runs of a cause: one call after another, as each does a bounded number, and says how far it has come. What
// is told, and how, is act.js's.
"use strict";

async function retryAll(button) {
  const { retryAll: url, confirm: question, before } = button.dataset;
  if (busy.has(button) || !window.confirm(question)) return;
  busy.add(button);
  button.setAttribute("aria-busy", "true");
  let retried = 0;
  const notPossible = [];
  try {
    for (let next = before; next; ) {
      const answer = await fetch(`${url}?before=${encodeURIComponent(next)}`, { method: "POST" });
      if (!answer.ok) throw new Error((await problemOf(answer)).detail);
      const part = await answer.json();
      retried += part.retried.length;
      notPossible.push(...part.refused);
      next = part.next;
      if (next) tell(`Retried ${retried} so far; ${part.left || "perhaps more"} to go.`, true);
    }
    tell(sumUp(retried, notPossible), notPossible.length === 0);
  } catch (error) {
    const why = error instanceof TypeError ? "The web process did not answer." : error.message;
    tell(`Retried ${retried}, then: ${why}`, false);
  }
  busy.delete(button);
  button.removeAttribute("aria-busy");
  document.dispatchEvent(new Event("acted"));
}

function sumUp(retried, notPossible) {
  if (!retried && !notPossible.length) return "There was nothing left to retry.";
  const done = `Retried ${retried === 1 ? "1 run" : `${retried} runs`}.`;
  if (!notPossible.length) return done;
  return `${done} ${notPossible.length} could not be retried, such as: ${notPossible[0].detail}`;
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-retry-all]");
  if (button) retryAll(button);
});
