// Plays a recording as a connection gives live frames: with the same `hold` and `close`, so that the page treats both alike.

export class Player {
  /**
   * `handlers`: frame(message), which may be async; moved(milliseconds), where it is now; ended, at the last frame;
   * failed(error), of a frame, after which it is on hold.
   */
  constructor(recording, handlers) {
    Object.assign(this, { recording, handlers, held: true, closed: false, at: 0, shown: null, busy: false });
  }

  /** Stop where it is, or go on; from the start where it had ended. */
  hold(held) {
    if (this.closed || held === this.held) return;
    this.held = held;
    if (held) return;
    if (this.at >= this.recording.length) this.at = 0;
    this.before = performance.now();
    this.tick();
  }

  /** Go to a time in milliseconds, held or not. */
  seek(ms) {
    this.at = Math.min(Math.max(ms, 0), this.recording.length);
    this.before = performance.now();
    this.show();
  }

  close() {
    this.closed = true;
  }

  /** When the frame shown was recorded. */
  get date() {
    return new Date(this.recording.date.getTime() + this.at);
  }

  tick() {
    if (this.held || this.closed) return;
    const now = performance.now();
    this.at = Math.min(this.at + now - this.before, this.recording.length);
    this.before = now;
    this.show();
    if (this.at >= this.recording.length) {
      this.held = true;
      return this.handlers.ended();
    }
    requestAnimationFrame(() => this.tick());
  }

  /** Show the frame of this moment; those that come while one is being decoded wait for the newest of them. */
  async show() {
    this.handlers.moved(this.at);
    if (this.busy) return;
    this.busy = true;
    try {
      for (let next; !this.closed && (next = this.recording.frameAt(this.at)) !== this.shown; ) {
        this.shown = next;
        await this.handlers.frame(await this.recording.message(next));
      }
    } catch (error) {
      this.held = true;
      if (!this.closed) this.handlers.failed(error);
    } finally {
      this.busy = false;
    }
  }
}
