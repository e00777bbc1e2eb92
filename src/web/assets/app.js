// Keeps the status page fresh: an event makes it fetch itself again, and so does time. Without this script the page
// reloads itself. When the page shown is not the newest it says so: an old picture must not pass for a new one.
"use strict";

const REFRESH_MS = 5000;
const SETTLE_MS = 100;
const LOST = "STALE: the connection to this node is lost. What is shown is as of the time below.";
const HELD = "HELD while text is selected. What is shown is as of the time below.";

let timer = null;
let isWanted = false;
let isBusy = false;

function say(stale) {
  const line = document.getElementById("stale");
  line.hidden = !stale;
  line.textContent = stale;
  document.body.classList.toggle("is-stale", stale === LOST);
  document.title = (stale ? "STALE " : "") + document.title.replace(/^STALE /, "");
  if (stale) setIcon(document.body.dataset.staleIcon);
}

function setIcon(address) {
  document.querySelector("link[rel=icon]").href = address;
}

function take(page) {
  const open = new Set([...document.querySelectorAll("details[open]")].map((d) => d.dataset.key));
  const view = page.getElementById("view");
  for (const details of view.querySelectorAll("details")) details.open = open.has(details.dataset.key);
  document.getElementById("view").replaceWith(document.adoptNode(view));
  document.title = page.title;
  setIcon(page.querySelector("link[rel=icon]").href);
}

async function refresh() {
  if (isBusy) return;
  isBusy = true;
  isWanted = false;
  try {
    const answer = await fetch("/", { cache: "no-store", signal: AbortSignal.timeout(REFRESH_MS) });
    if (!answer.ok) throw new Error(answer.statusText);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    // Who selects a command to copy it keeps the text under the cursor.
    const isHeld = !getSelection().isCollapsed;
    if (!isHeld) take(page);
    say(isHeld ? HELD : "");
  } catch {
    say(LOST);
  }
  isBusy = false;
  schedule(isWanted ? SETTLE_MS : REFRESH_MS);
}

function schedule(delay) {
  clearTimeout(timer);
  timer = setTimeout(refresh, delay);
}

function want() {
  if (isWanted) return;
  isWanted = true;
  schedule(SETTLE_MS);
}

function listen() {
  const stream = new EventSource("/api/v1/events?after=" + document.getElementById("view").dataset.lastEvent);
  stream.onopen = want;
  stream.onmessage = want;
  stream.addEventListener("lost", want);
  stream.onerror = () => {
    say(LOST);
    want();
    // A stream that was refused, unlike one that broke, is not tried again by the browser.
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, REFRESH_MS);
  };
}

listen();
schedule(REFRESH_MS);
