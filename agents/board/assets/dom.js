// Elements without markup: every text goes in as a text node, so a name from a feed can never be more than a name.

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes and children (nodes or texts; null and false are left out). */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value == null) continue;
    node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child != null && child !== false));
  return node;
}

// 24 x 24, strokes only
const PATHS = {
  available: "M4 12.5l5 5L20 6.5",
  dispatched: "M6 17V11a6 6 0 0 1 12 0v6zM3.5 17h17M10 20.5h4",
  en_route: "M3 12h17M13 5l7 7-7 7",
  on_scene: "M12 21.5s7-6.6 7-12a7 7 0 0 0-14 0c0 5.4 7 12 7 12zM12 7v5",
  transporting: "M2.5 6.5h11v10h-11zM13.5 10h4.5l3.5 3.5v3h-8M7 16.5v3M17.5 16.5v3",
  at_destination: "M5.5 21.5V3.5h12l-3 4.5 3 4.5h-12",
  unavailable: "M8 5v14M16 5v14",
  off_duty: "M19 14.5A8 8 0 0 1 9.5 5a8 8 0 1 0 9.5 9.5z",
  duty: "M12 3.5a4 4 0 1 0 .01 0M4.5 20.5c.5-4.5 3.5-6.5 7.5-6.5s7 2 7.5 6.5",
  waiting: "M12 3a9 9 0 1 0 .01 0M12 7v5.5l3.5 2",
  alert: "M12 3.5L22 20.5H2zM12 10v5M12 17.700v.3",
  silent: "M4 4l16 16M8.5 15.5a5 5 0 0 1-.9-6M5 19a10 10 0 0 1-1.5-11M15.5 8.5a5 5 0 0 1 .9 6M19 5a10 10 0 0 1 1.5 11",
  live: "M3 12.5h4l2.5-7 4.5 13 2.5-6h4.5",
};

/** An icon; the word beside it says what it means, so readers are not told twice. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", `icon icon-${name}`);
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}

/** A number, with the samples of /metrics that it is the sum of: `care_units status=available team=art`. */
export function number(value, sum, attributes = {}) {
  const zero = value === 0 ? " zero" : "";
  return el("data", { ...attributes, class: `number ${attributes.class ?? ""}${zero}`, value, "data-sum": sum }, String(value));
}

/** A time that ticks: `since` counts up from it, `until` down to it (seconds since the epoch). */
export function ticking(kind, at, attributes = {}) {
  return el("time", { ...attributes, [`data-${kind}`]: at, datetime: new Date(at * 1000).toISOString() });
}

/** 75 -> "1:15", 4000 -> "1:06:40", three days -> "3 d 4 h". */
export function span(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [d, h, m, s] = [whole / 86400, (whole / 3600) % 24, (whole / 60) % 60, whole % 60].map(Math.floor);
  const two = (n) => String(n).padStart(2, "0");
  if (d) return `${d} d ${h} h`;
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** A target or an interval in words: 300 -> "5 min", 90 -> "90 s". */
export function spell(seconds) {
  return seconds % 60 ? `${seconds} s` : seconds % 3600 ? `${seconds / 60} min` : `${seconds / 3600} h`;
}
