// The cards below the pictures: rates, latency, counters.

import { Plot } from "/plot.js";

const STAGES = { engine: "engine", resize: "resize", capture_to_depth: "capture → depth" };

export class Numbers {
  /** `at` gives the page's element of an id. */
  constructor(at) {
    this.at = at;
    this.rates = new Plot(at("rates"), "fps");
    this.ages = new Plot(at("ages"), "ms");
    this.reset();
  }

  /** Count from anew, as for another source. */
  reset() {
    this.before = null;
    this.rates.clear();
    this.ages.clear();
    this.at("rate").textContent = this.at("age").textContent = "–";
  }

  /** Show how long the newest frame took, seconds. */
  showAge(seconds) {
    this.at("age").textContent = `${(seconds * 1000).toFixed(1)} ms`;
    this.ages.add(seconds * 1000);
  }

  /** Show the server's counters; `source` is the number of the one on the page. */
  showStatus(status, source) {
    const mine = status.sources[source];
    if (!mine) return;
    const seconds = this.before ? status.time - this.before.time : 0;
    if (seconds > 0) {
      const rate = (mine.processed - this.before.processed) / seconds;
      this.rates.add(rate);
      this.at("rate").textContent = `${rate.toFixed(1)} fps`;
    }
    if (!this.before || seconds > 0) this.before = { time: status.time, processed: mine.processed };
    this.showLatency(status.latency);
    this.showCounters(mine, status.viewers);
  }

  showLatency(latency) {
    const rows = Object.entries(STAGES).filter(([stage]) => latency[stage]).map(([stage, name]) => {
      const row = document.createElement("tr");
      const { p50, p90, p99 } = latency[stage];
      for (const text of [name, ...[p50, p90, p99].map((ms) => ms.toFixed(1))]) row.insertCell().textContent = text;
      return row;
    });
    this.at("latency").tBodies[0].replaceChildren(...rows);
  }

  showCounters(source, viewers) {
    const dropped = Object.entries(source.dropped).map(([stage, frames]) => [`dropped before ${stage}`, frames]);
    const counters = [
      ["frames captured", source.captured],
      ["frames processed", source.processed],
      ...(dropped.length ? dropped : [["frames dropped", 0]]),
      ...(source.novel === null ? [] : [["frames unlike training", source.novel]]),
      ...(source.measured ? [["AbsRel to measured", source.measured.rel], ["depth / measured", source.measured.median_ratio]] : []),
      ["source lost", source.losses],
      ["viewers", viewers],
    ];
    const parts = counters.flatMap(([name, value]) => [element("dt", name), element("dd", value.toLocaleString("en"))]);
    this.at("counters").replaceChildren(...parts);
  }
}

function element(tag, text) {
  return Object.assign(document.createElement(tag), { textContent: text });
}
