// Keeps the status page fresh: an event makes it fetch itself again, and so does time. What has not changed is left alone, so that
// whoever reads, selects or types is not disturbed. Without this script the page reloads itself. When the page shown is not the
// newest it says so: an old picture must not pass for a new one.
"use strict";

const REFRESH_MS = 5000;
const SETTLE_MS = 100;
const LOST = "STALE: the connection to this node is lost. What is shown is as of the time below.";

let timer = null;
let isWanted = false;
let isBusy = false;
/** Server time less this browser's, in ms. */
let skew = 0;

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
    const answer = await fetch(location.pathname + location.search, { cache: "no-store", signal: AbortSignal.timeout(REFRESH_MS) });
    if (!answer.ok) throw new Error(answer.statusText);
    take(new DOMParser().parseFromString(await answer.text(), "text/html"));
    say("");
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

/** The server's HTML of each part that is shown, without what only grows older. */
const served = new WeakMap();

function remember(element) {
  served.set(element, element.outerHTML.replace(/<(span|time) class="age"[^>]*>[^<]*</g, "<"));
  for (const part of element.querySelectorAll("[data-key]")) {
    if (part.tagName !== "DETAILS") served.set(part, part.outerHTML.replace(/<(span|time) class="age"[^>]*>[^<]*</g, "<"));
  }
}

function take(page) {
  const news = page.title !== document.title.replace(/^STALE /, "");
  const fresh = document.adoptNode(page.getElementById("view"));
  remember(fresh);
  view().dataset.lastEvent = fresh.dataset.lastEvent;
  patch(view(), fresh);
  document.title = page.title;
  setIcon(page.querySelector("link[rel=icon]").getAttribute("href"));
  settle();
  if (news) document.getElementById("news").textContent = page.title;
}

function patch(old, fresh) {
  if (served.get(old) === served.get(fresh)) {
    const ages = old.querySelectorAll(".age");
    fresh.querySelectorAll(".age").forEach((age, i) => ages[i] && ages[i].replaceWith(age.cloneNode(true)));
    return;
  }
  if (!("parts" in old.dataset && "parts" in fresh.dataset)) return replace(old, fresh);
  served.set(old, served.get(fresh));
  if (old.className !== fresh.className) old.className = fresh.className;
  const known = new Map([...old.children].map((child) => [child.dataset.key, child]));
  let at = old.firstElementChild;
  for (const child of [...fresh.children]) {
    const same = known.get(child.dataset.key);
    if (!same) {
      old.insertBefore(child, at);
      continue;
    }
    known.delete(child.dataset.key);
    if (same === at) at = at.nextElementSibling;
    else old.insertBefore(same, at);
    patch(same, child);
  }
  for (const gone of known.values()) gone.remove();
}

/** Puts `fresh` in the place of `old`; what was open stays open, what had the focus has it again. */
function replace(old, fresh) {
  // Who selects something keeps it under the cursor, until the selection is given up.
  const selection = getSelection();
  if (!selection.isCollapsed && selection.containsNode(old, true)) return;
  const keyOf = (element) => element.dataset && element.dataset.focus;
  const focused = old.contains(document.activeElement) ? keyOf(document.activeElement) : undefined;
  const open = new Set([...old.querySelectorAll("details[open]")].map((details) => details.dataset.key));
  for (const details of fresh.querySelectorAll("details")) details.open = open.has(details.dataset.key);
  old.replaceWith(fresh);
  if (focused) [...fresh.querySelectorAll("[data-focus]")].find((element) => keyOf(element) === focused)?.focus();
}

// --- What only a browser can do ---

/** After each change: dates in the viewer's zone, buttons that work, and the filter again. */
function settle() {
  const now = document.querySelector("#view time.age");
  if (now) skew = Date.parse(now.dateTime) - Date.now();
  for (const time of document.querySelectorAll("#view time:not([data-local])")) {
    const date = new Date(time.dateTime);
    const isToday = date.toDateString() === new Date(Date.now() + skew).toDateString();
    time.dataset.local = "";
    time.title = date.toString() + "\n" + time.dateTime;
    time.textContent = isToday ? date.toLocaleTimeString() : date.toLocaleString();
  }
  for (const element of document.querySelectorAll("#view .script[hidden]")) element.hidden = false;
  filter();
}

function grow() {
  for (const age of document.querySelectorAll("#view .card .age[data-since]")) {
    age.textContent = span(Math.max(0, Date.now() + skew - Date.parse(age.dataset.since)) / 1000);
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
    if (row.hidden === isShown) row.hidden = !isShown;
    shown += isShown;
  }
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

remember(view());
settle();
listen();
schedule(REFRESH_MS);
setInterval(grow, 1000);
