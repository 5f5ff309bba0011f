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
