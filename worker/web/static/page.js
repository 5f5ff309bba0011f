// Keeps the page live: fetches it again and changes only what differs, so that focus, selection, scroll position and
// opened details stay. Without this script the page reloads itself (see <noscript>).
"use strict";

let refreshSeconds = Number(document.body.dataset.refreshS);
const pauseButton = document.getElementById("pause");
const lostNotice = document.getElementById("lost");
let paused = false;
let timer;

function isSameKind(old, fresh) {
  return old.nodeType === fresh.nodeType && old.nodeName === fresh.nodeName && (old.id || "") === (fresh.id || "");
}

function updateNode(old, fresh) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  for (const { name } of [...old.attributes]) {
    const isOpenedByReader = name === "open" && old.nodeName === "DETAILS";
    if (!fresh.hasAttribute(name) && !isOpenedByReader) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  updateChildren(old, fresh);
}

// Children with an id are matched by it, wherever they stand; the others in their order.
function updateChildren(old, fresh) {
  const wantedIds = new Set([...fresh.children].map((child) => child.id).filter(Boolean));
  for (const child of [...old.children]) {
    if (child.id && !wantedIds.has(child.id)) child.remove();
  }
  const byId = new Map([...old.children].filter((child) => child.id).map((child) => [child.id, child]));
  let place = old.firstChild;
  for (const wanted of fresh.childNodes) {
    const known = wanted.id ? byId.get(wanted.id) : place;
    while (wanted.id && known && place && place !== known && !place.id) place = removeAndStep(place);
    if (!known || !isSameKind(known, wanted)) {
      old.insertBefore(document.importNode(wanted, true), place);
      continue;
    }
    if (known === place) place = place.nextSibling;
    else old.insertBefore(known, place);
    updateNode(known, wanted);
  }
  while (place) place = removeAndStep(place);
}

function removeAndStep(node) {
  const next = node.nextSibling;
  node.remove();
  return next;
}

async function refresh() {
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, signal: AbortSignal.timeout(10000) });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const main = fresh.querySelector("main");
    if (!main) throw new Error("the answer is no page of ours");
    updateNode(document.querySelector("main"), main);
    document.title = fresh.title;
    refreshSeconds = Number(fresh.body.dataset.refreshS) || refreshSeconds;
    lostNotice.hidden = true;
  } catch {
    lostNotice.hidden = false;
  }
  plan();
}

function plan() {
  clearTimeout(timer);
  if (!paused && !document.hidden) timer = setTimeout(refresh, refreshSeconds * 1000);
}

if (refreshSeconds > 0) {
  pauseButton.hidden = false;
  pauseButton.addEventListener("click", () => {
    paused = !paused;
    pauseButton.setAttribute("aria-pressed", String(paused));
    plan();
  });
  document.addEventListener("visibilitychange", plan);
  plan();
}
