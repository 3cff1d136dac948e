// <care-program>: one program. It is given snapshots, trends and standings, and draws them; it computes no numbers.
import "./trend.js";
import { el, icon, number, spell, ticking } from "./dom.js";
import { FEED, FOLLOWUP, INTERVAL, RESULT, STAGE, STATUS } from "./words.js";

const ON_A_CALL = ["dispatched", "en_route", "on_scene", "transporting", "at_destination"];
/** Rows of areas at most where a wall screen, which does not scroll, has several programs; the last adds up the others. */
const WALL_AREAS = 4;

const sum = (counts) => counts.reduce((total, n) => total + n, 0);
const onDuty = (team) => sum(Object.entries(team.units).map(([status, n]) => (status === "off_duty" ? 0 : n)));

class CareProgram extends HTMLElement {
  #parts = {};
  #trends = [];
  #snapshot = null;
  #standing = null;

  connectedCallback() {
    if (this.childElementCount) return;
    const part = (name, tag = "section", attributes = {}) => (this.#parts[name] = el(tag, { class: name, ...attributes }));
    const heading = el("h2", { id: `name-${this.id}` }, this.getAttribute("name"));
    const trend = (heading, lines) => {
      const node = el("care-trend", { heading });
      this.#trends.push([node, lines]);
      return node;
    };
    this.append(
      el(
        "article",
        { "aria-labelledby": heading.id },
        el("header", { class: "head" }, heading, part("place", "p"), part("standing", "p")),
        part("alarms", "ul", { "aria-label": "Alarms" }),
        part("tiles", "div"),
        el(
          "div",
          { class: "panels" },
          part("teams"),
          part("calls"),
          part("past"),
          part("followups"),
          part("outcomes"),
          part("demand"),
          el(
            "section",
            { class: "lines" },
            el("h3", { class: "unseen" }, "Last hours"),
            trend("Units", [
              { name: "available", word: "available", color: "good" },
              { name: "on_duty", word: "on duty", color: "calm" },
              { name: "planned", word: "planned", color: "muted", dash: [4, 4] },
            ]),
            trend("Calls", [
              { name: "waiting", word: "waiting", color: "warn" },
              { name: "open", word: "open", color: "calm" },
            ]),
          ),
        ),
        part("feeds", "footer"),
      ),
    );
  }

  /** What cannot wait: texts for the alarms, most urgent first. */
  get alarms() {
    return this.#snapshot ? alarmsOf(this.#snapshot) : [];
  }

  get snapshot() {
    return this.#snapshot;
  }

  /** Whether the numbers are live, and no feed is silent. */
  get live() {
    return Boolean(this.#standing?.live && this.#snapshot && !this.#snapshot.feeds.some((feed) => feed.silent));
  }

  showSnapshot(snapshot) {
    this.#snapshot = snapshot;
    const { tiles, teams, calls, past, outcomes, demand, followups, feeds } = this.#parts;
    tiles.replaceChildren(...tilesOf(snapshot));
    teams.replaceChildren(...teamsOf(snapshot));
    calls.replaceChildren(...callsOf(snapshot));
    past.replaceChildren(...pastOf(snapshot));
    outcomes.replaceChildren(...outcomesOf(snapshot));
    demand.replaceChildren(...demandOf(snapshot));
    followups.replaceChildren(...followupsOf(snapshot));
    feeds.replaceChildren(...feedsOf(snapshot));
    this.#showStanding();
  }

  /** A wall screen does not scroll: what is too high is made smaller as a whole. */
  fit() {
    if (this.hidden || !document.documentElement.classList.contains("wall")) return;
    const card = this.firstElementChild;
    const panels = card.querySelector(".panels");
    for (let zoom = 100; zoom >= 50; zoom -= 3) {
      card.style.zoom = `${zoom}%`;
      if (panels.scrollHeight <= panels.clientHeight + 1) break;
    }
  }

  showTrend(trend) {
    for (const [node, lines] of this.#trends) node.show(trend, lines, this.#snapshot?.timezone ?? "UTC");
    this.fit();
  }

  showStanding(standing) {
    if (JSON.stringify(standing) === JSON.stringify(this.#standing)) return;
    this.#standing = standing;
    this.#showStanding();
  }

  /** The program's local time, and whether its numbers are old. */
  tick(now) {
    const zone = this.#snapshot?.timezone;
    if (!zone) return;
    const date = new Date(now * 1000);
    const time = date.toLocaleTimeString("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit", second: "2-digit" });
    const day = date.toLocaleDateString("en-US", { timeZone: zone, weekday: "short", month: "short", day: "numeric" });
    const name = new Intl.DateTimeFormat("en-US", { timeZone: zone, timeZoneName: "short" })
      .formatToParts(date)
      .find((part) => part.type === "timeZoneName").value;
    this.#parts.place.replaceChildren(el("span", { class: "clock" }, time), ` ${name}`, el("span", { class: "day" }, ` · ${day}`));
  }

  #showStanding() {
    const standing = this.#standing;
    const silent = this.#snapshot?.feeds.filter((feed) => feed.silent) ?? [];
    this.classList.toggle("stale", Boolean(standing) && !this.live);
    this.classList.toggle("blank", !this.#snapshot);
    const clock = (at) =>
      new Date(at * 1000).toLocaleTimeString("en-GB", { timeZone: this.#snapshot?.timezone ?? "UTC" });
    const words = [];
    if (standing && !standing.live) {
      words.push(el("strong", {}, standing.since ? `NOT LIVE since ${clock(standing.since)}.` : "NO NUMBERS."), ` ${standing.why}`);
    } else if (silent.length) {
      const ended = silent.filter((feed) => feed.last != null);
      const never = silent.filter((feed) => feed.last == null);
      const name = (feeds) =>
        feeds.length === this.#snapshot.feeds.length ? "ALL FEEDS" : `${feeds.map((feed) => FEED[feed.topic]).join(" and ").toUpperCase()} FEED${feeds.length > 1 ? "S" : ""}`;
      const said = [];
      if (ended.length) said.push(`${name(ended)} SILENT since ${clock(Math.min(...ended.map((feed) => feed.last)))}.`);
      if (never.length) said.push(`${name(never)} NEVER HEARD OF.`);
      words.push(
        el("strong", {}, said.join(" ")),
        this.#snapshot.catching_up ? " A backlog is being read." : ended.length ? " These numbers may be old." : " No event has come yet.",
      );
    }
    this.#parts.standing.replaceChildren(...(words.length ? [icon("silent"), el("span", {}, ...words)] : [icon("live"), "Live"]));
    const alarms = this.live ? this.alarms.filter((alarm) => alarm.level === "warn") : []; // empty teams shout below
    this.#parts.alarms.replaceChildren(
      ...alarms.map(({ level, text, detail }) => el("li", { class: level }, icon("alert"), el("strong", {}, text), " ", el("span", {}, detail))),
    );
    this.fit();
  }
}

/** What cannot wait, as words to be read out: teams at work without a free unit, calls while nobody works. */
function alarmsOf({ teams, stages }) {
  const found = teams.filter(isEmpty).map((team) => ({ level: "bad", text: shoutOf(team), detail: team.name }));
  if (stages.waiting && teams.every((team) => !team.works)) {
    found.push({ level: "warn", text: "CALLS WAIT", detail: "and no team works at this hour" });
  }
  return found;
}

const isEmpty = (team) => team.works && !team.units.available;
const shoutOf = (team) => (onDuty(team) ? "NO UNIT AVAILABLE" : "NO UNIT ON DUTY");

function tile(word, iconName, value, detail, level = "") {
  return el("div", { class: `tile ${level}` }, el("h3", {}, icon(iconName), word), value, el("p", {}, ...detail));
}

function tilesOf({ teams, areas, stages }) {
  const available = sum(teams.map((team) => team.units.available));
  const duty = sum(teams.map(onDuty));
  const planned = sum(teams.map((team) => team.planned));
  const works = teams.some((team) => team.works);
  const oldest = Math.min(...areas.map((area) => area.oldest ?? Infinity));
  const waiting = Number.isFinite(oldest) ? ["longest ", ticking("since", oldest, { class: "wait" })] : ["no call waits"];
  const open = sum(Object.values(stages));
  const short = planned - duty;
  const plan = short > 0 ? `${short} short of the plan` : short < 0 ? `${-short} above the plan` : planned ? "as planned" : "none planned";
  return [
    tile("Waiting", "waiting", number(stages.waiting, "care_calls_open stage=waiting"), waiting, stages.waiting ? "warn" : ""),
    tile("Available", "available", number(available, "care_units status=available"), [works ? `of ${duty} on duty` : "off hours"], works ? (available ? "good" : "bad") : ""),
    tile("Open calls", "on_scene", number(open, "care_calls_open"), [`${open - stages.waiting} with a unit`]),
    tile("On duty", "duty", el("span", { class: "pair" }, number(duty, "care_units status!=off_duty"), el("small", {}, " / ", number(planned, "care_units_planned"))), [plan], short > 0 ? "warn" : ""),
  ];
}

function teamsOf({ teams }) {
  const row = (team) => {
    const chip = (status) =>
      el("li", { class: `chip ${status}${team.units[status] ? "" : " none"}` }, icon(status), number(team.units[status], `care_units team=${team.code} status=${status}`), el("span", {}, STATUS[status]));
    const duty = number(onDuty(team), `care_units team=${team.code} status!=off_duty`);
    const hours = team.works ? `works ${team.hours}` : team.hours ? `off hours, ${team.hours}` : "no hours this week";
    const away = !team.works && !onDuty(team) && !team.planned;
    return el(
      "li",
      { class: `team${isEmpty(team) ? " shouting" : away ? " away" : ""}` },
      el("h4", {}, team.name),
      isEmpty(team) && el("p", { class: "shout" }, icon("alert"), shoutOf(team)),
      el("p", { class: "hours" }, hours),
      el("p", { class: "duty" }, "on duty ", duty, " / ", number(team.planned, `care_units_planned team=${team.code}`), el("span", { class: "unseen" }, " planned")),
      el("ul", { class: "chips" }, ["available", ...ON_A_CALL, "unavailable", "off_duty"].map(chip)),
    );
  };
  return [el("h3", {}, "Units by team"), el("ul", {}, teams.map(row))];
}

function callsOf({ areas, stages, past }) {
  const names = Object.keys(STAGE);
  const target = past.find(({ interval }) => interval === "received_to_dispatched")?.target[0];
  const rest = areas.length > WALL_AREAS ? areas.slice(WALL_AREAS - 1) : [];
  const cell = (value, sumOf) => el("td", {}, number(value, sumOf));
  const row = (area) =>
    el(
      "tr",
      { class: rest.includes(area) ? "more" : null },
      el("th", { scope: "row" }, area.name),
      names.map((stage) => cell(area.stages[stage], `care_calls_open area=${area.code} stage=${stage}`)),
      el("td", { class: "oldest" }, area.oldest ? ticking("since", area.oldest, { class: "wait", "data-target": target }) : el("span", { class: "zero" }, "-")),
    );
  const together = (stage) => sum(rest.map((area) => area.stages[stage]));
  const head = el("tr", {}, el("th", { scope: "col" }, "Area"), names.map((stage) => el("th", { scope: "col", class: stage }, icon(stage), el("span", {}, STAGE[stage]))), el("th", { scope: "col", class: "oldest" }, el("span", {}, "Longest wait")));
  if (!areas.length) {
    return [el("h3", {}, "Open calls by stage and area"), el("p", { class: "zero" }, "No call is open.")];
  }
  const total = el("tr", { class: "total" }, el("th", { scope: "row" }, "All areas"), names.map((stage) => cell(stages[stage], `care_calls_open stage=${stage}`)), el("td", {}));
  return [
    el("h3", {}, "Open calls by stage and area"),
    el(
      "table",
      {},
      el("thead", {}, head),
      el(
        "tbody",
        {},
        areas.map(row),
        rest.length > 0 && el("tr", { class: "rest" }, el("th", { scope: "row" }, `${rest.length} more areas`), names.map((stage) => el("td", {}, String(together(stage)))), el("td", {})),
      ),
      el("tfoot", {}, total),
    ),
  ];
}

function pastOf({ past }) {
  const row = ({ interval, calls, target: [shortest, longest] }) =>
    el(
      "li",
      { class: calls ? "warn" : "" },
      number(calls, `care_calls_over_target interval=${interval}`),
      el("span", {}, INTERVAL[interval], " ", el("small", {}, `over ${shortest === longest ? "" : `${spell(shortest)} to `}${spell(longest)}`)),
    );
  return [el("h3", {}, "Open calls past target"), past.length ? el("ul", {}, past.map(row)) : el("p", { class: "zero" }, "The program has no targets.")];
}

function outcomesOf({ outcomes }) {
  const row = ({ code, name, calls }) => el("li", { class: code }, el("span", {}, name), number(calls, `care_calls_today outcome=${code}`));
  const total = sum(outcomes.map(({ calls }) => calls));
  return [el("h3", { class: "lead" }, "Calls closed today", number(total, "care_calls_today")), el("ul", { class: "counts" }, outcomes.map(row))];
}

function demandOf({ demand }) {
  const { served, ineligible, ...unmet } = demand;
  const missed = sum(Object.values(unmet));
  const all = served + missed;
  const bar = el("div", { class: "bar", role: "img", "aria-label": `${served} of ${all} eligible calls served` }, el("div", {}));
  bar.firstChild.style.width = all ? `${(100 * served) / all}%` : "0";
  const reasons = Object.entries(unmet).filter(([, calls]) => calls);
  return [
    el("h3", {}, "Demand and reach today"),
    bar,
    el(
      "ul",
      { class: "counts" },
      el("li", { class: "served" }, el("span", {}, `Served, of ${all} eligible closed`), number(served, "care_demand_today result=served")),
      reasons.map(([result, calls]) => el("li", {}, el("span", {}, RESULT[result] ?? result), number(calls, `care_demand_today result=${result}`))),
      ineligible > 0 && el("li", { class: "zero" }, el("span", {}, "Triaged not eligible"), number(ineligible, "care_demand_today result=ineligible")),
    ),
  ];
}

function followupsOf({ followups: { states, next_lapse: lapse } }) {
  const row = (state) => el("li", { class: state }, number(states[state], `care_followups state=${state}`), el("span", {}, FOLLOWUP[state]));
  return [
    el("h3", {}, "Follow-ups"),
    el("ul", { class: "three" }, Object.keys(FOLLOWUP).map(row)),
    el("p", {}, ...(lapse ? ["next lapses in ", ticking("until", lapse)] : ["none is open or overdue"])),
  ];
}

function feedsOf({ feeds }) {
  const row = ({ topic, last, silent }) =>
    el("li", { class: silent ? "silent" : "" }, icon(silent ? "silent" : "live"), el("span", {}, `${FEED[topic]} `, last ? ticking("since", last, { class: "age" }) : "no event yet", last && " ago"));
  return [el("h3", {}, "Newest event"), el("ul", {}, feeds.map(row))];
}

customElements.define("care-program", CareProgram);
