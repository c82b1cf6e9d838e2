// How old the picture is. Nobody may take a still picture for a live one.

const OLD_MS = 3000;
const PERIODS = 3; // A slow camera or engine gets so many times its own time,
const LONGEST_PERIOD_MS = 10_000; // of which no more than this counts.

export class Freshness {
  constructor() {
    this.forget();
  }

  /** There is no picture any more. */
  forget() {
    this.taken = null;
    this.patience = OLD_MS;
    this.offset = null;
  }

  /** Learn the server's clock, in seconds: clocks of devices without a network's time are wrong by years. */
  setClock(seconds) {
    this.offset = Date.now() - seconds * 1000;
  }

  /** Note a new picture, by when it was captured on the server's clock and how long its depth took, seconds. */
  note({ captured, age }) {
    const taken = this.offset === null ? Date.now() - age * 1000 : captured * 1000 + this.offset;
    const period = Math.max(age * 1000, this.hasPicture ? taken - this.taken : 0);
    this.taken = taken;
    this.patience = Math.max(OLD_MS, PERIODS * Math.min(period, LONGEST_PERIOD_MS));
  }

  get hasPicture() {
    return this.taken !== null;
  }

  get isOld() {
    return this.hasPicture && Date.now() - this.taken > this.patience;
  }

  /** When the picture was taken, by this device's clock. */
  get text() {
    const seconds = Math.max(0, Math.round((Date.now() - this.taken) / 1000));
    const date = new Date(this.taken);
    return `picture of ${seconds < 43_200 ? date.toLocaleTimeString() : date.toLocaleString()}, ${length(seconds)} ago`;
  }
}

function length(seconds) {
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h`;
}
