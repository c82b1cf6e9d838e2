// What the page says about its connection, and how it marks a picture that is not live.

const TICK_MS = 500;
/** What a camera's state, see clipdepth/pipeline/branch.py, means for the page; one that runs says nothing. */
const CAMERAS = {
  waiting: ["lost", "camera not there yet, being sought"],
  lost: ["lost", "camera lost, being sought"],
  ended: ["waiting", "ended"],
  failed: ["lost", "camera failed"],
};
/** The colour of the dot and the words beside it, for each connection that brings no live pictures. */
const TEXTS = {
  connecting: ["waiting", "connecting"],
  asking: ["waiting", "token needed"],
  full: ["waiting", "too many viewers"],
  refused: ["lost", "refused, trying again"],
  lost: ["lost", "no connection, trying again"],
  playback: ["waiting", "playing a recording"],
};

export class State {
  /** `at` gives the page's element of an id. */
  constructor(at, freshness, isPaused) {
    Object.assign(this, { at, freshness, isPaused, link: "connecting", camera: null });
    setInterval(() => this.tell(), TICK_MS);
  }

  /** The connection is live, or one of TEXTS; `notice` is what a person has to know or can do about it. */
  become(link, notice = "") {
    this.link = link;
    this.at("notice").textContent = notice;
    this.at("notice").hidden = !notice;
    this.tell();
  }

  /** The camera's own state, or null where the server has not told it. */
  setCamera(camera) {
    this.camera = camera;
    this.tell();
  }

  /** Say what the page shows, and dim and date a picture that is not live. */
  tell() {
    const { at, freshness, link } = this;
    const isPaused = this.isPaused();
    const isOld = !isPaused && !document.hidden && freshness.isOld;
    const isStale = freshness.hasPicture && (link !== "live" || isOld || (!isPaused && this.isAway));
    at("main").dataset.stale = isStale;
    at("date").hidden = !freshness.hasPicture || !(isStale || isPaused);
    if (!at("date").hidden) at("date").textContent = freshness.text;
    const [kind, text] = TEXTS[link] ?? this.live(isPaused, isStale);
    if (at("state").textContent === text) return; // Screen readers read each change aloud.
    at("state").dataset.state = kind;
    at("state").textContent = text;
  }

  get isAway() {
    return this.camera in CAMERAS;
  }

  live(isPaused, isStale) {
    if (isPaused) return ["paused", "paused"];
    if (this.isAway) return CAMERAS[this.camera];
    if (!this.freshness.hasPicture) return ["waiting", "waiting for a picture"];
    return isStale ? ["lost", "no new picture"] : ["live", "live"];
  }
}
