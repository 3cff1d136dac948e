// The follow-up work list: fetched with the cookie that the form set, sorted and filtered here.
import { el, ticking } from "./dom.js";
import { FOLLOWUP } from "./words.js";

const EVERY = 30_000;
const STATES = { ...FOLLOWUP, scheduled: "Scheduled" };
const [state, enter, leave, list, filters, missing, heads, rows, none] = ["state", "enter", "leave", "list", "filters", "missing", "heads", "rows", "none"].map((id) => document.getElementById(id));
const query = new URLSearchParams(location.search);

const COLUMNS = [
  { key: "lapses", word: "Lapses", text: (item) => local(item, item.lapses), extra: "left" },
  { key: "due", word: "Due", text: (item) => local(item, item.due) },
  { key: "state", word: "State", text: (item) => STATES[item.state] ?? item.state },
  { key: "program", word: "Program", text: (item) => program(item).name },
  { key: "team", word: "Team", text: (item) => program(item).teams[item.team] ?? item.team },
  { key: "area", word: "Area", text: (item) => program(item).areas[item.area] ?? item.area },
  { key: "checkpoint", word: "Checkpoint", text: (item) => item.checkpoint },
  { key: "case", word: "Case", text: (item) => item.case },
  { key: "attempts", word: "Attempts", text: (item) => String(item.attempts) },
];

let found = { items: [], missing: [], programs: {} };
let order = { key: "lapses", down: false };

const program = (item) => found.programs[item.program] ?? { name: item.program, timezone: "UTC", teams: {}, areas: {} };

function local(item, time) {
  const zone = program(item).timezone;
  return new Date(time).toLocaleString("en-US", { timeZone: zone, weekday: "short", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZoneName: "short" });
}

// --- what is asked for

const select = (name, word) => el("label", {}, word, el("select", { name }));
const csv = el("a", { class: "button", download: "followups.csv" }, "CSV file");
filters.append(select("state", "State"), select("program", "Program"), select("team", "Team"), select("area", "Area"), csv);
const chosen = (name) => filters.elements[name].value;

function options(name, choices, all) {
  const node = filters.elements[name];
  const before = node.value || query.get(name) || "";
  node.replaceChildren(...(all ? [el("option", { value: "" }, all)] : []), ...choices.map(([value, word]) => el("option", { value }, word)));
  node.value = choices.some(([value]) => value === before) ? before : node.options[0].value;
}

options("state", [["overdue,missed", "Overdue and missed"], ...Object.entries(STATES), ["open,overdue,missed", "Open, overdue and missed"]]);

function parameters() {
  const asked = new URLSearchParams();
  for (const name of ["state", "program", "team", "area"]) if (chosen(name)) asked.set(name, chosen(name));
  return asked;
}

filters.addEventListener("change", (event) => {
  history.replaceState(null, "", `?${parameters()}`);
  if (event.target.name === "state") load();
  else draw();
});
filters.addEventListener("submit", (event) => event.preventDefault());

// --- the list

function draw() {
  const programs = Object.entries(found.programs);
  const of = programs.filter(([name]) => !chosen("program") || name === chosen("program")).map(([, names]) => names);
  const merged = (field) => Object.entries(Object.assign({}, ...of.map((names) => names[field])));
  options("program", programs.map(([name, names]) => [name, names.name]), "All programs");
  options("team", merged("teams"), "All teams");
  options("area", merged("areas"), "All areas");
  csv.href = `/followups/list.csv?${parameters()}`;
  const wanted = found.items.filter((item) => ["program", "team", "area"].every((name) => !chosen(name) || item[name] === chosen(name)));
  const column = COLUMNS.find(({ key }) => key === order.key);
  const value = (item) => (["lapses", "due"].includes(order.key) ? Date.parse(item[order.key]) : order.key === "attempts" ? item.attempts : column.text(item));
  const sorted = wanted.toSorted((a, b) => {
    const [x, y] = [value(a), value(b)];
    const by = typeof x === "number" ? x - y : x.localeCompare(y, "en", { numeric: true });
    return order.down ? -by : by;
  });
  heads.replaceChildren(...COLUMNS.map(head));
  rows.replaceChildren(
    ...sorted.map((item) =>
      el("tr", { class: item.state }, COLUMNS.map(({ key, text, extra }) => el("td", { class: `of-${key}` }, text(item), extra && item.state !== "missed" && el("small", {}, " in ", ticking("until", Date.parse(item.lapses) / 1000))))),
    ),
  );
  none.hidden = sorted.length > 0;
  missing.hidden = found.missing.length === 0;
  missing.textContent = found.missing.map(({ program: name, why }) => `Without ${found.programs[name]?.name ?? name}: ${why}.`).join(" ");
  tick();
}

function head({ key, word }) {
  const sorted = key === order.key;
  const button = el("button", { type: "button" }, word, el("span", { "aria-hidden": "true" }, sorted ? (order.down ? " ▼" : " ▲") : ""));
  button.addEventListener("click", () => {
    order = { key, down: sorted && !order.down };
    draw();
    heads.children[COLUMNS.findIndex((column) => column.key === key)].firstElementChild.focus();
  });
  return el("th", { scope: "col", "aria-sort": sorted ? (order.down ? "descending" : "ascending") : null }, button);
}

async function load() {
  let answer;
  try {
    answer = await fetch(`/followups/list.json?state=${encodeURIComponent(chosen("state"))}`);
  } catch {
    state.textContent = `Not reached; the list is old`;
    list.classList.add("stale");
    return;
  }
  list.classList.remove("stale");
  list.hidden = leave.hidden = !answer.ok;
  enter.hidden = answer.status !== 401;
  document.getElementById("wrong").hidden = !query.has("wrong");
  if (answer.ok) {
    found = await answer.json();
    state.textContent = `${found.items.length} follow-ups, as of ${new Date().toLocaleTimeString("en-GB")}`;
    draw();
  } else {
    state.textContent = answer.status === 401 ? "Not signed in" : (await answer.text()).trim();
  }
}

function tick() {
  const now = Date.now() / 1000;
  for (const node of document.querySelectorAll("[data-until]")) {
    const left = Math.max(0, Math.floor((node.dataset.until - now) / 60));
    node.textContent = left >= 1440 ? `${Math.floor(left / 1440)} d ${Math.floor((left % 1440) / 60)} h` : `${Math.floor(left / 60)} h ${left % 60} min`;
  }
}

setInterval(load, EVERY);
load();
