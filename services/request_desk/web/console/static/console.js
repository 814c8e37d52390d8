"use strict";
/* Everything works without this file; with it pages are live. No library, no build step. */

/** When something was pressed that is not released yet; what is replaced in between would get no click. */
let pressed = -Infinity;
for (const press of ["pointerdown", "keydown"]) addEventListener(press, () => { pressed = performance.now(); }, true);
for (const end of ["pointerup", "pointercancel", "keyup"])
  addEventListener(end, () => setTimeout(() => { pressed = -Infinity; }), true);  // the click comes first

/** Waits until nothing is pressed; not for ever, since not every release is heard of. */
async function released() {
  while (performance.now() - pressed < 5000) await new Promise((done) => setTimeout(done, 50));
}

/** Replaces what an element shows by what an address answers; one call at a time, the newest wish last. */
function refresher(element, address) {
  let busy = false, again = false;
  return async function refresh() {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const answer = await fetch(address, {headers: {Accept: "text/html"}, redirect: "error"});
      if (!answer.ok) throw new Error(answer.status);
      const text = await answer.text();
      await released();
      const restore = kept(element);
      element.innerHTML = text;
      restore();
      stale(element, false);
      tell(element);
      prepare(element);
    } catch {
      stale(element, true);
    }
    // At most twice a second, however fast events come.
    setTimeout(() => { busy = false; if (again) { again = false; refresh(); } }, 500);
  };
}

/** Remembers what its reader has opened, written and chosen; what is returned puts it back by the elements' ids. */
function kept(element) {
  const focused = element.contains(document.activeElement) ? document.activeElement.id : "";
  const open = [...element.querySelectorAll("details[id][open]")].map((each) => each.id);
  const written = [...element.querySelectorAll("input[id]")].map((each) => [each.id, each.value]);
  return () => {
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    for (const [id, value] of written) { const field = document.getElementById(id); if (field) field.value = value; }
    if (focused) document.getElementById(focused)?.focus();
  };
}

/** Shows whether what an element shows is as things are. */
function stale(element, is) {
  element.classList.toggle("stale", is);
  const still = document.getElementById("still"), any = document.querySelector(".stale") !== null;
  if (still.hidden === any) still.hidden = !any;
}

/** Says aloud what has changed, once, to those who do not see it. */
function tell(element) {
  const words = element.querySelector("[data-tell]")?.textContent ?? "";
  const told = document.getElementById("told");
  if (told && words && told.textContent !== words) told.textContent = words;
}

function live(element) {
  const refresh = refresher(element, element.dataset.refresh);
  if (element.dataset.live) listen(element, refresh);
  const seconds = Number(element.dataset.every ?? 0);
  if (seconds) setInterval(() => { if (!document.hidden) refresh(); }, seconds * 1000);
}

/** Refreshes an element at each event; comes back after a break, and after a refusal, too, which browsers do not. */
function listen(element, refresh) {
  const events = new EventSource(element.dataset.live);
  for (const name of ["progress", "changed"]) events.addEventListener(name, refresh);
  events.addEventListener("end", () => { events.close(); refresh(); });
  events.addEventListener("open", () => stale(element, false));
  events.addEventListener("error", () => {
    stale(element, true);
    if (events.readyState === EventSource.CLOSED) setTimeout(() => listen(element, refresh), 5000);
  });
}

/** Asks before a form does what cannot be undone, and offers to copy commands. */
function prepare(root) {
  for (const form of root.querySelectorAll("form[data-ask]"))
    form.addEventListener("submit", (event) => { if (!confirm(form.dataset.ask)) event.preventDefault(); });
  for (const button of root.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.previousElementSibling.textContent);
      button.textContent = "Copied";
    });
  }
}

/** Tells what a request would meet before it is made. */
function foretell(form) {
  const [mous, fields, project, shown] = ["mous", "fields", "project_code", "foretold"].map((id) => document.getElementById(id));
  const list = (field) => field.value.split(/[\s,;]+/).filter(Boolean);
  let asked = "";
  async function look() {
    const uids = list(mous).slice(0, 10), wish = JSON.stringify([uids, list(fields)]);
    if (wish === asked) return;
    asked = wish;
    const lines = await Promise.all(uids.map((uid) => one(uid, list(fields))));
    if (wish !== asked) return;
    shown.replaceChildren(...lines.map(({text, tone}) => {
      const line = document.createElement("p"), badge = document.createElement("span");
      badge.className = `badge ${tone}`;
      badge.textContent = {good: "yes", bad: "no", over: "?"}[tone];
      line.append(badge, ` ${text}`);
      return line;
    }));
  }
  async function one(uid, names) {
    const question = new URLSearchParams({mous: uid});
    for (const name of names) question.append("field", name);
    try {
      const answer = await fetch(`/api/v1/preview?${question}`, {headers: {Accept: "application/json"}});
      if (answer.status === 422) return {text: `${uid} is no MOUS UID`, tone: "bad"};
      if (!answer.ok) return {text: `${uid}: nothing can be foretold just now`, tone: "over"};
      const told = await answer.json();
      if (told.project_code && !project.value) project.value = told.project_code;
      if (!told.entitled) return {text: `${uid}: ${told.text}`, tone: "bad"};
      const parts = [`${told.execution_blocks} execution block${told.execution_blocks === 1 ? "" : "s"}`];
      if (told.size) parts.push(`about ${size(told.size)}`);
      if (told.seconds) parts.push(duration(told.seconds));
      return {text: `${uid}: you may have it; ${parts.join(", ")}`, tone: "good"};
    } catch {
      return {text: `${uid}: nothing can be foretold just now`, tone: "over"};
    }
  }
  let soon = 0;
  for (const field of [mous, fields]) {
    field.addEventListener("change", look);
    field.addEventListener("input", () => { clearTimeout(soon); soon = setTimeout(look, 600); });
  }
  if (mous.value) look();
}

function size(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let power = 0;
  while (bytes >= 999.5 && power < units.length - 1) { bytes /= 1000; power += 1; }
  return `${bytes >= 99.95 || !power ? Math.round(bytes) : bytes.toFixed(1)} ${units[power]}`;
}

function duration(seconds) {
  if (seconds < 60) return "less than a minute";
  if (seconds < 3600) return `about ${Math.round(seconds / 60)} min`;
  return `about ${(seconds / 3600).toFixed(1)} h`;
}

for (const element of document.querySelectorAll("[data-refresh]")) live(element);
prepare(document);
const form = document.querySelector("form[data-foretell]");
if (form) foretell(form);
