// <care-trend>: the lines of the last hours, drawn by uPlot.
import { el } from "./dom.js";

const HOUR = 3600;

class CareTrend extends HTMLElement {
  #since = el("small");
  #key = el("p", { class: "key" });
  #canvas = el("div", { class: "chart" }); // a picture once there is something to say of it
  #plot = null;
  #shown = null;

  connectedCallback() {
    if (this.childElementCount) return;
    this.append(el("h4", {}, this.getAttribute("heading"), this.#since), this.#key, this.#canvas);
    new ResizeObserver(() => this.#resize()).observe(this.#canvas);
    document.addEventListener("themechange", () => this.show(...this.#shown ?? []));
  }

  /** Draw. `lines`: [{name, word, color, dash}], of which `trend.lines[name]` has the values; `zone`: of the program. */
  show(trend, lines, zone) {
    if (!trend) return;
    this.#shown = [trend, lines, zone];
    const enough = trend.times.length > 1;
    this.#since.textContent = ` ${from(trend, zone)}`;
    this.#key.replaceChildren(...lines.map((line) => el("span", { class: `key-${line.color}` }, line.word)));
    this.#canvas.setAttribute("role", "img");
    this.#canvas.setAttribute("aria-label", this.#spoken(trend, lines, zone));
    this.#plot?.destroy();
    this.#plot = null;
    if (!enough || !window.uPlot) return;
    const style = getComputedStyle(this);
    const of = (name) => style.getPropertyValue(`--${name}`).trim();
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const font = `${Math.round(0.68 * rem)}px ${style.fontFamily}`;
    const clock = new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit" });
    const axis = { stroke: of("muted"), font, ticks: { show: false }, grid: { stroke: of("grid"), width: 1 } };
    const drawn = lines.toReversed(); // the first on top
    const data = [trend.times, ...drawn.map((line) => trend.lines[line.name] ?? trend.times.map(() => null))];
    const most = Math.max(1, ...data.slice(1).flat().filter((value) => value != null));
    this.#plot = new window.uPlot(
      {
        ...this.#size(),
        padding: [0.6 * rem, 1.3 * rem, 0, 0],
        legend: { show: false },
        cursor: { show: false },
        scales: { y: { range: [0, most + 1] } },
        axes: [
          {
            ...axis,
            size: Math.round(1.3 * rem),
            gap: 2,
            space: 3.4 * rem,
            incrs: [60, 120, 300, 600, 900, 1800, HOUR, 2 * HOUR],
            values: (_, times) => times.map((time) => clock.format(time * 1000)),
          },
          { ...axis, size: Math.round(1.9 * rem), gap: 3, space: 1.4 * rem, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000], values: (_, numbers) => numbers.map((n) => n || "") },
        ],
        series: [
          {},
          ...drawn.map((line) => ({
            stroke: of(line.color),
            width: line.dash ? 1.5 : 2.5,
            dash: line.dash,
            points: { show: false },
            paths: window.uPlot.paths.stepped({ align: 1 }),
          })),
        ],
      },
      data,
      this.#canvas,
    );
  }

  #spoken(trend, lines, zone) {
    const last = lines.map(({ name, word }) => {
      const known = (trend.lines[name] ?? []).filter((value) => value != null);
      return known.length ? `${word}: now ${known.at(-1)}, from ${Math.min(...known)} to ${Math.max(...known)}` : null;
    });
    return [`${this.getAttribute("heading")}, ${from(trend, zone)}`, ...last.filter(Boolean)].join(". ");
  }

  #size() {
    return { width: Math.max(80, this.#canvas.clientWidth), height: Math.max(40, this.#canvas.clientHeight) };
  }

  #resize() {
    this.#plot?.setSize(this.#size());
  }
}

/** Since when there are points: they are of one worker process, and start anew with it. */
function from({ times }, zone) {
  if (!times.length) return "from the next minute on";
  const clock = new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit" });
  return times.length > 1 ? `since ${clock.format(times[0] * 1000)}` : `start at ${clock.format(times[0] * 1000)}`;
}

customElements.define("care-trend", CareTrend);
