// How sure the model is of its depth, where it says so: what fades, what is left out, and how far off a distance may be.

const UNSURE = 1; // From here on the interval goes down to the camera: nothing is known.

export class Confidence {
  /** `at` gives the page's element of an id. */
  constructor(at) {
    Object.assign(this, { at, margins: null, faded: [0, 0, 0] });
  }

  /** Learn of the model, see clipdepth/web/viewer/status.py. */
  show({ margins, unknown }) {
    this.margins = margins;
    this.faded = [0, 2, 4].map((i) => parseInt(unknown.slice(i, i + 2), 16));
    this.at("unsure").hidden = !margins;
  }

  /** By what a message's depth fades, from 0 to 255 a pixel; null for not at all. */
  fading({ confidence }) {
    return this.at("fade").checked ? confidence : null;
  }

  /** Fade a message's colours, RGBA for each pixel of its depth, to that of unknown depth; returns them. */
  fade(colours, message) {
    const levels = this.fading(message);
    levels?.forEach((level, cell) =>
      this.faded.forEach((part, i) => (colours[4 * cell + i] = part + (colours[4 * cell + i] - part) * (level / 255))),
    );
    return colours;
  }

  /** A message's depth; while it fades, 0 for unknown where a distance would be unsure. */
  known(message) {
    const levels = this.fading(message);
    if (!levels) return message.depth;
    const unsure = Array.from({ length: 256 }, (_, level) => this.isUnsure(level));
    return message.depth.map((value, i) => (unsure[levels[i]] ? 0 : value));
  }

  /** What follows a distance in metres: the interval that holds the truth nine times in ten, by its confidence. */
  margin(metres, level) {
    if (this.isUnsure(level)) return ", unsure";
    const share = this.margins?.[level];
    return share === undefined ? "" : ` ± ${(metres * share).toFixed(2)} m`;
  }

  isUnsure(level) {
    const share = this.margins?.[level];
    return share === null || share >= UNSURE;
  }
}
