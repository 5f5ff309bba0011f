// The run's page: what page.js and act.js do not do for every page.
"use strict";

async function copy(button) {
  const source = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent);
    tell(`Copied: ${source.textContent}`, true);
  } catch {
    // Over plain http to another host there is no clipboard; the text is selected, to be copied by hand.
    window.getSelection().selectAllChildren(source);
    tell("It is selected; copy it with the keyboard.", true);
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-copy]");
  if (button) copy(button);
});

// A picture that could not be had: the page knows why by now. Where it does not, as when too many are made, try again.
const RETRY_MS = 5000;
const MOST_TRIES = 3;
const tries = new Map();

function lookAgain(picture) {
  document.dispatchEvent(new Event("acted"));
  const count = (tries.get(picture.src) ?? 0) + 1;
  tries.set(picture.src, count);
  if (count > MOST_TRIES) return;
  setTimeout(() => picture.isConnected && picture.setAttribute("src", picture.getAttribute("src")), RETRY_MS);
}

for (const picture of document.querySelectorAll(".quicklook img")) {
  if (picture.complete && !picture.naturalWidth) lookAgain(picture);
}
document.addEventListener("error", (event) => event.target.matches?.(".quicklook img") && lookAgain(event.target), true);
