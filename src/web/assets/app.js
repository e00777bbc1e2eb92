// Keeps the status page fresh: an event makes it fetch itself again, and so does time. What has not changed is left alone, so that
// whoever reads, selects or types is not disturbed. Without this script the page reloads itself. When the page shown is not the
// newest it says so: an old picture must not pass for a new one.
"use strict";

const REFRESH_MS = 5000;
const SETTLE_MS = 100;
/** So many cards and rows are laid out at a time: a few milliseconds of work. */
const LAID_AT_A_TIME = 20;
const LOST = "STALE: the connection to this node is lost. What is shown is as of the time below.";

let timer = null;
let layingOut = null;
let isWanted = false;
let isBusy = false;
/** Server time less this browser's, in ms. */
let skew = 0;
/** What has come was taken whole; all of it was there before. */
let isTaken = true;
let isKnown = true;

const view = () => document.getElementById("view");

// --- What is fresh ---

function say(stale) {
  const line = document.getElementById("stale");
  // An alert is read out when it changes, not each time it is set.
  if (line.textContent !== stale) line.textContent = stale;
  line.hidden = !stale;
  document.body.classList.toggle("is-stale", stale !== "");
  document.title = (stale ? "STALE " : "") + document.title.replace(/^STALE /, "");
  if (stale) setIcon(document.body.dataset.staleIcon);
}

function setIcon(address) {
  const icon = document.querySelector("link[rel=icon]");
  if (icon.getAttribute("href") !== address) icon.setAttribute("href", address);
}

async function refresh() {
  if (isBusy) return;
  isBusy = true;
  isWanted = false;
  try {
    const answer = await fetch(address(), { cache: "no-store", signal: AbortSignal.timeout(REFRESH_MS) });
    if (!answer.ok) throw new Error(answer.statusText);
    take(await answer.text());
    say("");
  } catch {
    say(LOST);
  }
  isBusy = false;
  schedule(isWanted ? SETTLE_MS : REFRESH_MS);
}

/** Of what is new since the version that is shown; a page of one router has none, and is fetched whole. */
function address() {
  const version = view().dataset.version;
  return version ? "/?known=" + encodeURIComponent(version) : location.pathname + location.search;
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
  const stream = new EventSource("/api/v1/events?after=" + view().dataset.lastEvent);
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

// --- From the old page to the new one ---

function take(html) {
  const page = new DOMParser().parseFromString(html, "text/html");
  const isNews = page.title !== document.title.replace(/^STALE /, "");
  const focused = document.activeElement?.dataset.focus;
  const fresh = document.adoptNode(page.getElementById("view"));
  view().dataset.lastEvent = fresh.dataset.lastEvent;
  isTaken = isKnown = true;
  patch(view(), fresh);
  // What was not taken is sent again, as new since the version before; and everything, if the server takes for known what is not.
  if (!isKnown) {
    delete view().dataset.version;
    want();
  } else if (isTaken && fresh.dataset.version) view().dataset.version = fresh.dataset.version;
  document.title = page.title;
  setIcon(page.querySelector("link[rel=icon]").getAttribute("href"));
  settle();
  refocus(focused);
  if (isNews) document.getElementById("news").textContent = page.title;
}

function patch(old, fresh) {
  if ("parts" in old.dataset && "parts" in fresh.dataset) {
    if (old.className !== fresh.className) old.className = fresh.className;
    arrange(old, [...fresh.children]);
  } else if (old.dataset.mark === fresh.dataset.mark) {
    older(old, fresh);
  } else if ("same" in fresh.dataset) {
    isKnown = false;
  } else {
    replace(old, fresh);
  }
}

/** Makes the ages of `old` those of `fresh`, which says the same, or stands for it. */
function older(old, fresh) {
  const ages = fresh.dataset.ages?.split("|") ?? [...fresh.querySelectorAll(".age")].map(howOld);
  if (!ages.length) return;
  old.querySelectorAll(".age").forEach((age, i) => {
    if (howOld(age) === ages[i]) return;
    if ("since" in age.dataset) age.dataset.since = ages[i];
    else if (age.viewBox) age.setAttribute("viewBox", ages[i]);
    else if (!age.dateTime) age.textContent = ages[i];
    else {
      age.dateTime = ages[i];
      delete age.dataset.local;
    }
  });
}

const howOld = (age) => age.dataset.since ?? age.getAttribute("viewBox") ?? age.getAttribute("datetime") ?? age.textContent;

/** Makes `children` the parts of `parent`: those that it has already are patched, and moved only if they must be. */
function arrange(parent, children) {
  const known = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  const keys = new Set(children.map((child) => child.dataset.key));
  for (const [key, child] of known) if (!keys.has(key)) child.remove();
  let at = parent.firstElementChild;
  for (const child of children) {
    const old = known.get(child.dataset.key);
    if (!old && "same" in child.dataset) {
      isKnown = false;
      continue;
    }
    if (at && old === at.nextElementSibling) {
      // One that goes down goes alone: the others need not come up.
      at.remove();
      at = old;
    }
    if (at && old === at) at = at.nextElementSibling;
    else parent.insertBefore(old ?? child, at);
    if (old && old !== child) patch(old, child);
  }
}

/** Puts `fresh` in the place of `old`; what was open stays open. */
function replace(old, fresh) {
  // Who selects something keeps it under the cursor, until the selection is given up.
  const selection = getSelection();
  if (!selection.isCollapsed && selection.containsNode(old, true)) {
    isTaken = false;
    return;
  }
  const open = new Set([...old.querySelectorAll("details[open]")].map((details) => details.dataset.key));
  for (const details of fresh.querySelectorAll("details")) details.open = open.has(details.dataset.key);
  old.replaceWith(fresh);
}

/** What had the focus has it again, if it went with what was replaced. */
function refocus(focused) {
  if (focused === undefined || document.activeElement !== document.body) return;
  document.querySelector(`#view [data-focus="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

// --- What only a browser can do ---

const TIME = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const DATE = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

/** After each change: dates in the viewer's zone, buttons that work, and the filter again. */
function settle() {
  const now = document.querySelector("#view time.age");
  if (now) skew = Date.parse(now.dateTime) - Date.now();
  const today = new Date(Date.now() + skew).toDateString();
  for (const time of document.querySelectorAll("#view time:not([data-local])")) {
    const date = new Date(time.dateTime);
    time.dataset.local = "";
    time.title = date.toString() + "\n" + time.dateTime;
    time.textContent = (date.toDateString() === today ? TIME : DATE).format(date);
  }
  for (const element of document.querySelectorAll("#view .script[hidden]")) element.hidden = false;
  filter();
  layingOut ??= setTimeout(layOut);
}

/** Lays out some of what is out of sight, for whoever listens to the page or searches it; then the next, until all is. */
function layOut() {
  const waiting = [...document.querySelectorAll("#view .card:not([data-laid]), .many tbody tr:not([data-laid], [hidden])")];
  for (const element of waiting.slice(0, LAID_AT_A_TIME)) element.dataset.laid = "";
  // One frame for the layout, and what comes in meanwhile goes first.
  layingOut = waiting.length ? setTimeout(layOut, 30) : null;
}

function grow() {
  for (const age of document.querySelectorAll("#view .age[data-since]")) {
    const text = span(Math.max(0, Date.now() + skew - Date.parse(age.dataset.since)) / 1000);
    if (age.textContent !== text) age.textContent = text;
  }
}

function span(length) {
  const seconds = Math.floor(length);
  const [days, hours, minutes] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  if (days) return `${days} d ${hours} h`;
  if (hours) return `${hours} h ${minutes} min`;
  return minutes ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
}

async function copy(button) {
  const text = document.getElementById(button.dataset.copies).textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without TLS a browser has no clipboard to offer, but it has this.
    const field = document.createElement("textarea");
    field.value = text;
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
    button.focus();
  }
  button.textContent = "copied";
  setTimeout(() => (button.textContent = "copy"), 2000);
}

function filter() {
  const form = document.getElementById("filter");
  if (!form) return;
  const words = form.elements.q.value.toLowerCase().split(/\s+/).filter(Boolean);
  const verdict = form.elements.verdict.value;
  let shown = 0;
  const rows = document.querySelectorAll("#routers > tr");
  for (const row of rows) {
    const text = row.dataset.text;
    const isShown = (!verdict || row.dataset.verdict === verdict) && words.every((word) => text.includes(word));
    if (row.hidden === isShown) {
      row.hidden = !isShown;
      delete row.dataset.laid;
    }
    shown += isShown;
  }
  layingOut ??= setTimeout(layOut);
  const count = document.getElementById("shown");
  const said = words.length || verdict ? `${shown} of ${rows.length} are shown` : "";
  if (count.textContent !== said) count.textContent = said;
}

document.addEventListener("input", (event) => event.target.closest("#filter") && filter());
document.addEventListener("submit", (event) => event.preventDefault());
document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-copies]");
  if (button) copy(button);
});
document.addEventListener("keydown", (event) => {
  const field = document.querySelector("#filter input");
  if (!field) return;
  if (event.key === "/" && !event.target.closest("input, select, textarea")) {
    event.preventDefault();
    field.focus();
  } else if (event.key === "Escape" && event.target === field) {
    field.value = "";
    filter();
  }
});

settle();
listen();
schedule(REFRESH_MS);
setInterval(grow, 1000);
