// Depth that a sensor of the source measured, beside the model's: which of both is shown, or how far apart they are.

import { Palette } from "/depth.js";

const NEARER = "1f6fd0";
const SAME = "f2f2f2";
const FARTHER = "d4541a";
const STEPS = 128; // Colours from the same to either end.
const RANGE = { near: 0.75, far: 1.25 }; // Of depth / measured.
const RATIO = {
  label: "colours of the difference to measured depth, in percent",
  marks: () => [[RANGE.near, "25% nearer"], [1, "as measured"], [RANGE.far, "25% farther"]],
};

export class Measured {
  /** `at` gives the page's element of an id. */
  constructor(at) {
    Object.assign(this, { at, palette: null });
  }

  /** Take the colour of unknown depth. */
  show({ unknown }) {
    const side = (from, to) => Array.from({ length: STEPS }, (_, step) => between(from, to, step / STEPS));
    this.palette = new Palette([...side(NEARER, SAME), ...side(SAME, FARTHER), FARTHER], unknown, RATIO);
  }

  /** Offer the choice from the first message on that has measured depth. */
  take({ measured }) {
    if (measured) this.at("shows").hidden = false;
  }

  /** Another source follows. */
  forget() {
    this.at("shows").hidden = true;
  }

  /** What is shown: depth, measured or difference. */
  get shows() {
    return this.at("shows").hidden ? "depth" : this.at("which").value;
  }

  /** What is shown of a message, if any, in place of `usual`: {plane, palette, range, fading}, see `Palette.paint`. */
  view(message, usual) {
    if (this.shows === "depth") return usual;
    const plane = message && (message.measured ?? new Uint16Array(message.depth.length));
    if (this.shows === "measured") return { ...usual, plane, fading: null };
    return { plane: plane && plane.map((its, cell) => ratio(message.depth[cell], its)), palette: this.palette, range: RANGE, fading: null };
  }

  /** The lines that follow a distance: the sensor's, and by how much the model's is larger. */
  lines({ depth, measured }, cell) {
    if (!measured) return [];
    const [ours, its] = [depth[cell], measured[cell]];
    if (!its) return ["measured: unknown"];
    const lines = [`measured ${(its / 1000).toFixed(3)} m`];
    if (ours) lines.push(`${signed(((ours - its) / 1000).toFixed(3))} m, ${signed((100 * (ours / its - 1)).toFixed(1))}%`);
    return lines;
  }
}

/** Depth / measured in thousandths, as `Palette.paint` takes it; 0 where one of both is unknown. */
function ratio(ours, its) {
  return ours && its ? Math.min(Math.max(Math.round((1000 * ours) / its), 1), 65535) : 0;
}

function signed(number) {
  return number.startsWith("-") ? number.replace("-", "−") : `+${number}`;
}

/** The colour between two, each RRGGBB. */
function between(from, to, share) {
  return [0, 2, 4].map((i) => {
    const [a, b] = [from, to].map((colour) => parseInt(colour.slice(i, i + 2), 16));
    return Math.round(a + (b - a) * share).toString(16).padStart(2, "0");
  }).join("");
}
