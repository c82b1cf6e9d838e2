// How sure the model is of its depth, where it says so: what fades, and how far off a distance may be.

const UNSURE = 1; // From here on the interval goes down to the camera: nothing is known.

export class Confidence {
  /** `at` gives the page's element of an id. */
  constructor(at) {
    this.at = at;
    this.margins = null;
  }

  /** Learn of the model, see clipdepth/web/viewer/status.py. */
  show({ margins }) {
    this.margins = margins;
    this.at("unsure").hidden = !margins;
  }

  /** By what a message's depth fades, from 0 to 255 a pixel; null for not at all. */
  fading({ confidence }) {
    return this.at("fade").checked ? confidence : null;
  }

  /** What follows a distance in metres: the interval that holds the truth nine times in ten, by its confidence. */
  margin(metres, level) {
    const share = this.margins?.[level];
    if (share === undefined) return "";
    return share === null || share >= UNSURE ? ", unsure" : ` ± ${(metres * share).toFixed(2)} m`;
  }
}
