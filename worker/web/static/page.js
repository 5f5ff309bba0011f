// Keeps the page live: fetches it again when the fleet's events say that something moved, and now and then besides, and
// changes only what differs, so that focus, selection, scroll position and opened details stay. What stands in an element
// with `data-keep` is the reader's own. Without this script the page reloads itself (see <noscript>).
"use strict";

const COALESCE_MS = 1000; // at most one fetch in this time, however much moves
const UNHEARD_MS = 2000; // between fetches while there are no events: a proxy may hold them back
const LONGEST_MS = 30000; // between two tries to reach a web process that does not answer

const slowBeatMs = Number(document.body.dataset.refreshS) * 1000; // ages grow and workers die without an event
const eventsUrl = document.body.dataset.events;
const pauseButton = document.getElementById("pause");
const lostNotice = document.getElementById("lost");
let isPaused = false;
let failures = 0; // fetches in a row that were not answered

// The page's content, made the same as a fresh one.

function isSameKind(old, fresh) {
  return old.nodeType === fresh.nodeType && old.nodeName === fresh.nodeName && (old.id || "") === (fresh.id || "");
}

function updateNode(old, fresh) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  if ("keep" in old.dataset) return;
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

// When it is fetched.

let timer = 0;
let dueAt = Infinity;
let fetchedAt = performance.now();
let isFetching = false;

async function refresh() {
  dueAt = Infinity;
  isFetching = true;
  fetchedAt = performance.now();
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, signal: AbortSignal.timeout(10000) });
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const main = fresh.querySelector("main");
    if (!main) throw new Error("the answer is no page of ours");
    updateNode(document.querySelector("main"), main);
    document.title = fresh.title;
    failures = 0;
    lostNotice.textContent = "";
  } catch {
    failures += 1;
    if (!isStill()) lostNotice.textContent = "The web process does not answer; what you see is old.";
  }
  isFetching = false;
  const at = Math.min(dueAt, nextBeat());
  dueAt = Infinity;
  planAt(at);
}

function nextBeat() {
  if (failures) return performance.now() + backOffMs(failures);
  return fetchedAt + (isHeard || !eventsUrl ? slowBeatMs : Math.min(UNHEARD_MS, slowBeatMs));
}

function backOffMs(times) {
  return Math.min(LONGEST_MS, COALESCE_MS * 2 ** times) * (0.5 + Math.random() / 2);
}

// Fetch at this time, if it is not to be sooner already.
function planAt(at) {
  if (isStill() || at >= dueAt) return;
  dueAt = at;
  clearTimeout(timer);
  if (!isFetching) timer = setTimeout(refresh, Math.max(0, at - performance.now())); // else its end plans the next
}

function refreshSoon() {
  if (!failures) planAt(fetchedAt + COALESCE_MS);
}

function isStill() {
  return isPaused || document.hidden;
}

// The fleet's events.

let source = null;
let isHeard = false;
let listenTimer = 0;
let refusals = 0; // streams in a row that could not be had

function listen() {
  clearTimeout(listenTimer);
  if (source || !eventsUrl || isStill()) return;
  source = new EventSource(eventsUrl);
  source.addEventListener("move", refreshSoon);
  source.addEventListener("open", () => {
    isHeard = true;
    refusals = 0;
    planAt(failures ? performance.now() : fetchedAt + COALESCE_MS); // something may have moved unheard
  });
  source.addEventListener("error", (event) => {
    isHeard = false;
    refreshSoon();
    if (event.target.readyState !== EventSource.CLOSED) return; // the browser comes back by itself
    stopListening();
    refusals += 1;
    listenTimer = setTimeout(listen, backOffMs(refusals));
  });
}

function stopListening() {
  source?.close();
  source = null;
  isHeard = false;
}

// Live as long as somebody looks.
function followReader() {
  if (isStill()) {
    clearTimeout(timer);
    clearTimeout(listenTimer);
    dueAt = Infinity;
    stopListening();
  } else {
    listen();
    planAt(performance.now());
  }
}

if (slowBeatMs > 0) {
  pauseButton.hidden = false;
  pauseButton.addEventListener("click", () => {
    isPaused = !isPaused;
    pauseButton.setAttribute("aria-pressed", String(isPaused));
    followReader();
  });
  document.addEventListener("visibilitychange", followReader);
  document.addEventListener("acted", () => planAt(performance.now()));
  window.addEventListener("pagehide", stopListening);
  window.addEventListener("pageshow", (event) => event.persisted && followReader());
  listen();
  planAt(nextBeat());
}
