// The row below the pictures while a recording is shown, and the way to open one.

import { NotARecording, openRecording } from "/recording.js";

export class Playback {
  /** `at` gives the page's element of an id. `handlers`: open(recording), seek(milliseconds) and live, by a person. */
  constructor(at, { open, seek, live }) {
    Object.assign(this, { at, open, recording: null });
    at("open").addEventListener("click", () => at("file").click());
    at("file").addEventListener("change", () => this.choose(at("file").files[0]));
    at("seek").addEventListener("input", () => seek(at("seek").valueAsNumber));
    at("live").addEventListener("click", live);
  }

  async choose(file) {
    this.at("file").value = ""; // So that the same file may be chosen again.
    if (!file) return;
    this.say("");
    try {
      this.open(await openRecording(file));
    } catch (error) {
      this.say(error instanceof NotARecording ? error.message : `${file.name} could not be read: ${error.message}`);
    }
  }

  /** Show the row for a recording; null for none. */
  become(recording) {
    const { at } = this;
    this.recording = recording;
    at("playback").hidden = !recording;
    at("source").hidden = at("record").disabled = Boolean(recording);
    if (!recording) return;
    at("seek").max = recording.length;
    at("recorded").textContent = `${recording.about.sources[0] ?? ""} · ${recording.date.toLocaleString()}`;
    this.move(0);
  }

  /** Say where in the recording it is. */
  move(ms) {
    this.at("seek").value = ms;
    this.at("clock").textContent = `${clock(ms)} / ${clock(this.recording.length)}`;
  }

  /** Tell a person what went wrong; "" for nothing. */
  say(text) {
    this.at("unreadable").textContent = text;
    this.at("unreadable").hidden = !text;
  }
}

function clock(ms) {
  const seconds = Math.floor(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
