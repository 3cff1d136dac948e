// The page: one stream from the worker, one <care-program> a program, and a clock that is the worker's.
import "./program.js";
import { el, icon, span } from "./dom.js";

/** Seconds without a message after which the page says that it is disconnected; the worker sends one a second. */
const QUIET = 4;
/** Programs side by side on a wall screen, and seconds until the next ones. */
const WALL_PROGRAMS = 3;
const WALL_TURN = 20;

const root = document.documentElement;
const [floor, tabs, link, news] = ["floor", "programs", "link", "news"].map((id) => document.getElementById(id));
const wall = root.classList.contains("wall");
const programs = new Map();
let offset = 0; // the worker's clock minus ours, seconds
let heard = 0; // when a message last came, by the monotonic clock
let broken = null; // since when we are disconnected, the worker's clock
let stream = null;
let spoken = new Set();

const now = () => Date.now() / 1000 + offset;
const chosen = () => new URLSearchParams(location.search).get("program");

// --- the stream

function connect() {
  stream?.close();
  stream = new EventSource("/board/events");
  const on = (event, handle) =>
    stream.addEventListener(event, (message) => {
      heard = performance.now();
      handle(JSON.parse(message.data));
      state();
    });
  on("moment", moment);
  on("program", (snapshot) => {
    const node = programOf(snapshot.program, snapshot.name);
    node.showSnapshot(snapshot);
    node.tick(now());
    times(node);
    tab(snapshot.program);
    announce();
  });
  on("trend", (trend) => programs.get(trend.program)?.showTrend(trend));
}

function moment(moment) {
  offset = moment.now - Date.now() / 1000;
  for (const standing of moment.programs) {
    programOf(standing.program, standing.name).showStanding(standing);
    tab(standing.program);
  }
}

/** Whether we hear the worker. EventSource comes back by itself, but not from an answer that is an error. */
function state() {
  const quiet = (performance.now() - heard) / 1000;
  if (heard && quiet < QUIET) {
    broken = null;
  } else {
    broken ??= now() - (heard ? quiet : 0);
    if (quiet > QUIET && stream.readyState === EventSource.CLOSED) connect();
  }
  root.classList.toggle("disconnected", broken !== null && performance.now() > 1000 * QUIET);
  const lost = root.classList.contains("disconnected");
  const text = lost ? `Disconnected since ${new Date(broken * 1000).toLocaleTimeString("en-GB")}` : broken === null ? "Connected" : "Connecting";
  if (link.textContent !== text) link.replaceChildren(icon(lost ? "silent" : "live"), text);
}

// --- programs

function programOf(program, name) {
  let node = programs.get(program);
  if (!node) {
    document.getElementById("waiting")?.remove();
    node = el("care-program", { id: `program-${program}`, name });
    programs.set(program, node);
    const after = [...programs.entries()].filter(([, other]) => other.getAttribute("name") > name).sort((a, b) => (a[1].getAttribute("name") < b[1].getAttribute("name") ? -1 : 1))[0]?.[1];
    floor.insertBefore(node, after?.isConnected ? after : null);
    choose();
  }
  return node;
}

/** The switch: a link a program, with what makes one look there. */
function tab(program) {
  const node = programs.get(program);
  const link = tabs.querySelector(`a[data-program="${CSS.escape(program)}"]`);
  if (!link) return;
  const shouts = node.alarms.some((alarm) => alarm.level === "bad");
  const level = node.classList.contains("stale") ? "stale" : shouts ? "bad" : "";
  const word = { bad: "no unit available", stale: "not live" }[level];
  const waiting = node.snapshot?.stages.waiting;
  const parts = [node.getAttribute("name"), waiting ? `${waiting} waiting` : "", word ?? ""];
  if (link.dataset.shown === parts.join()) return;
  link.dataset.shown = parts.join();
  link.className = level;
  link.replaceChildren(...(word ? [icon(level === "bad" ? "alert" : "silent")] : []), parts[0], ...(parts[1] ? [" ", el("small", {}, parts[1])] : []), el("span", { class: "unseen" }, ` ${parts[2]}`));
}

function choose() {
  const names = [...programs.keys()].sort((a, b) => (programs.get(a).getAttribute("name") < programs.get(b).getAttribute("name") ? -1 : 1));
  const one = names.includes(chosen()) ? chosen() : null;
  const suffix = wall ? "&wall=1" : "";
  if (tabs.childElementCount !== names.length + 1) {
    tabs.replaceChildren(
      el("li", {}, el("a", { href: wall ? "/?wall=1" : "/", "data-program": "" }, "All programs")),
      ...names.map((name) => el("li", {}, el("a", { href: `/?program=${encodeURIComponent(name)}${suffix}`, "data-program": name }))),
    );
    names.forEach(tab);
  }
  for (const link of tabs.querySelectorAll("a")) {
    if (link.dataset.program === (one ?? "")) {
      link.setAttribute("aria-current", "page");
      tabs.scrollLeft = link.offsetLeft - 16; // a phone has them in one row
    } else {
      link.removeAttribute("aria-current");
    }
  }
  const turn = Math.floor(now() / WALL_TURN);
  const pages = Math.ceil(names.length / WALL_PROGRAMS);
  const shown = one ? [one] : wall ? names.slice((turn % pages) * WALL_PROGRAMS).slice(0, WALL_PROGRAMS) : names;
  floor.dataset.count = shown.length;
  for (const [name, node] of programs) {
    node.hidden = !shown.includes(name);
    node.fit();
  }
}

tabs.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  history.pushState(null, "", link.href);
  choose();
  window.dispatchEvent(new Event("resize"));
});
window.addEventListener("popstate", choose);
window.addEventListener("resize", () => programs.forEach((node) => node.fit()));

/** New alarms are read out once, and nothing else is. */
function announce() {
  const texts = [...programs.values()].flatMap((node) => (node.live ? node.alarms.map((alarm) => `${node.getAttribute("name")}: ${alarm.text}, ${alarm.detail}`) : []));
  const heads = texts.map((text) => text.split(":")[0] + text.split(",")[0]);
  const fresh = texts.filter((_, i) => !spoken.has(heads[i]));
  spoken = new Set(heads);
  if (fresh.length) news.textContent = fresh.join(". ");
}

// --- time

function times(within) {
  const at = now();
  for (const node of within.querySelectorAll("[data-since], [data-until]")) {
    const seconds = node.dataset.since ? at - node.dataset.since : node.dataset.until - at;
    const text = span(seconds);
    if (node.textContent !== text) node.textContent = text;
    if (node.dataset.target) node.classList.toggle("late", seconds > node.dataset.target);
  }
}

function tick() {
  state();
  times(document);
  if (wall && programs.size > WALL_PROGRAMS) choose();
  for (const node of programs.values()) node.tick(now());
  setTimeout(tick, 1000 - ((now() * 1000) % 1000)); // with the worker's seconds
}

// --- look

const light = matchMedia("(prefers-color-scheme: light)");
const button = document.getElementById("theme");
const theme = () => root.dataset.theme ?? (light.matches ? "light" : "dark");

function paint() {
  button.textContent = theme() === "dark" ? "Light colours" : "Dark colours";
  document.dispatchEvent(new Event("themechange"));
}

button.addEventListener("click", () => {
  root.dataset.theme = theme() === "dark" ? "light" : "dark";
  try {
    localStorage.setItem("theme", root.dataset.theme);
  } catch {
    // not kept: storage is off
  }
  paint();
});
light.addEventListener("change", paint);
const wallLink = document.getElementById("wall");
if (wall) {
  wallLink.href = "/";
  wallLink.textContent = "Leave wall screen";
}

paint();
connect();
tick();
