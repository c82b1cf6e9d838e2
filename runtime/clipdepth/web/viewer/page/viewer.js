// The page: joins the connection to the canvases and controls.

import { Cloud } from "/cloud/cloud.js";
import { Confidence } from "/confidence.js";
import { Connection } from "/connection.js";
import { METRES, NEAR_TO_FAR, Palette, decode, fittingRange } from "/depth.js";
import { Freshness } from "/freshness.js";
import { Measured } from "/measured.js";
import { Numbers } from "/numbers.js";
import { Playback } from "/playback.js";
import { Player } from "/player.js";
import { sharp } from "/plot.js";
import { Recorder, saveStack } from "/recorder.js";
import { State } from "/state.js";
import { askForToken, keepToken, keptToken, takeToken } from "/token.js";

const at = (id) => document.getElementById(id);
const source = () => Number(at("source").value || 0);
const isPaused = () => at("pause").getAttribute("aria-pressed") === "true";

const APART = 12; // Pixels between the pointer and what is said of its place.
const REFUSED = "The page came, but its live connection is refused. If a proxy is between, let it pass WebSockets on.";

const recorder = new Recorder();
const numbers = new Numbers(at);
const confidence = new Confidence(at);
const measured = new Measured(at);
const freshness = new Freshness();
const state = new State(at, freshness, isPaused);
const cloud = new Cloud(at, confidence);
const playback = new Playback(at, { open: play, seek: (ms) => connection.seek(ms), live: chooseSource });
let about, palette, range, connection, shown, pointer; // The connection is a player while a recording is shown.

function connect() {
  connection?.close();
  playback.become(null);
  numbers.reset();
  let refusals = 0;
  const mine = new Connection(source(), keptToken(), {
    info: show,
    live: () => {
      refusals = 0;
      state.become("live");
    },
    frame: (message) => showFrame(message, mine),
    status: (status) => {
      freshness.setClock(status.clock);
      numbers.showStatus(status, source());
      showStates(status.sources);
    },
    full: (info) => state.become("full", tooMany(info)),
    refused: () => (++refusals > 1 ? state.become("refused", REFUSED) : state.become("lost")), // One is a server's end.
    lost: () => state.become("lost"),
    unauthorised: () => {
      askForToken(at);
      state.become("asking");
    },
  });
  connection = mine;
  hold();
}

function tooMany({ max_viewers: most }) {
  return `Too many viewers: this device serves ${most} at a time. This page goes on by itself when one of them leaves.`;
}

function show(info) {
  const chosen = source();
  at("source").replaceChildren(...info.sources.map((name, i) => new Option(name, i)));
  at("source").value = chosen < info.sources.length ? chosen : 0;
  at("record").disabled = !recorder.supported;
  connection.source = source();
  describe(info);
}

/** Say what made the depth, and take its colours. */
function describe(info) {
  about = info;
  at("ask").hidden = true;
  at("main").hidden = false;
  at("token").value = "";
  const isMetric = info.kind === "metric";
  const unit = isMetric ? "" : " · relative depth, not metres";
  at("engine").textContent = `${info.engine} on ${info.device}, ${info.precision}${unit} · clipdepth ${info.version}`;
  for (const control of document.querySelectorAll(".range")) control.hidden = !isMetric;
  confidence.show(info);
  measured.show(info);
  if (!isMetric) at("auto").checked = false; // Each frame comes with its own range; a reload may keep the mark.
  if (!isMetric || palette?.scale !== METRES) setRange({ near: info.near, far: info.far });
  palette = new Palette(info.colours, info.unknown, isMetric ? METRES : NEAR_TO_FAR);
  draw();
}

/** Say of this camera how it goes, and of the others in the list. */
function showStates(sources) {
  state.setCamera(sources[source()]?.state ?? null);
  sources.forEach(({ name, state: how }, i) => {
    const option = at("source").options[i];
    if (option) option.text = how === "running" ? name : `${name} · ${how}`;
  });
}

function chooseSource() {
  forget();
  state.become("connecting");
  connect();
}

/** Show a recording in place of a camera. */
function play(recording) {
  connection?.close();
  forget();
  describe(recording.about);
  playback.become(recording);
  state.become("playback");
  const mine = new Player(recording, {
    frame: (message) => showFrame(message, mine),
    moved: (ms) => playback.move(ms),
    ended: () => setPaused(true),
    failed: (error) => {
      setPaused(true);
      playback.say(`${recording.name} is damaged here: ${error.message}`);
    },
  });
  connection = mine;
  setPaused(false);
}

/** Forget the pictures of a camera or a recording: others follow. */
function forget() {
  shown?.picture.close();
  shown = undefined;
  freshness.forget();
  cloud.forget();
  measured.forget();
  at("assumed").hidden = at("novel").hidden = true;
  state.setCamera(null);
  for (const id of ["picture", "depth"]) at(id).getContext("2d").clearRect(0, 0, at(id).width, at(id).height);
  measure();
}

async function showFrame(message, from) {
  const next = await decode(message);
  if (from !== connection) return next.picture.close();
  shown?.picture.close();
  shown = Object.assign(next, { message });
  cloud.take(shown);
  measured.take(shown);
  recorder.frames?.add(message);
  fit(at("picture"), next.picture);
  at("main").style.setProperty("--aspect", next.picture.width / next.picture.height);
  fit(at("depth"), next.header.depth);
  at("assumed").hidden = next.header.camera !== "assumed";
  at("novel").hidden = !next.header.novel;
  if (at("auto").checked) setRange(fittingRange(next.depth) ?? range);
  draw();
  if (from instanceof Player) return;
  numbers.showAge(next.header.age);
  freshness.note(next.header);
  state.tell();
}

function draw() {
  const seen = view();
  if (!cloud.isShown) drawBar(seen);
  if (!shown || (cloud.isShown && !recorder.media)) return;
  at("picture").getContext("2d").drawImage(shown.picture, 0, 0);
  seen.palette.paint(at("depth"), seen.plane, seen.range, seen.fading);
  if (recorder.media) compose(seen);
  measure();
}

/** What is seen beside the picture: {plane, palette, range, fading}; without the plane and its fading before a frame is there. */
function view() {
  return measured.view(shown, { plane: shown?.depth, palette, range, fading: shown && confidence.fading(shown) });
}

function drawBar(seen) {
  const { context, width, height } = sharp(at("bar"));
  context.clearRect(0, 0, width, height);
  seen.palette.bar(context, { left: 0, top: 2, width }, seen.range);
  at("bar").setAttribute("aria-label", seen.palette.scale.label);
}

function compose(seen) {
  recorder.compose(at("picture"), at("depth"), seen.palette, seen.range);
}

function fit(canvas, { width, height }) {
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
}

/** Show the distance under the pointer, whose place is kept as parts of the picture. */
function measure() {
  const label = at("distance");
  const marks = [label, ...document.querySelectorAll(".cross")];
  marks.forEach((mark) => (mark.hidden = !pointer || !shown));
  if (label.hidden) return;
  const { width, height } = shown.header.depth;
  const cell = Math.floor(pointer.y * height) * width + Math.floor(pointer.x * width);
  const ours = distance(shown.depth[cell], shown.header.depth.kind, shown.confidence?.[cell]);
  label.textContent = [ours, ...measured.lines(shown, cell)].join("\n");
  const place = { left: `${pointer.x * 100}%`, top: `${pointer.y * 100}%` };
  marks.slice(1).forEach((cross) => Object.assign(cross.style, place));
  const { clientWidth, clientHeight } = label.parentElement;
  label.style.left = `${beside(pointer.x * clientWidth, label.offsetWidth, clientWidth)}px`;
  label.style.top = `${beside(pointer.y * clientHeight, label.offsetHeight, clientHeight)}px`;
}

/** Where a label of a length begins beside a place: after it, or before it where no room is left. */
function beside(place, length, room) {
  const after = place + APART;
  return after + length <= room ? after : Math.max(0, place - APART - length);
}

function distance(value, kind, sure) {
  if (!value) return "unknown";
  const metres = value / 1000;
  return kind === "metric" ? `${metres.toFixed(3)} m${confidence.margin(metres, sure)}` : "not in metres";
}

function pointTo(event) {
  const box = event.currentTarget.getBoundingClientRect();
  const inside = (value) => Math.min(Math.max(value, 0), 0.999999);
  pointer = { x: inside((event.clientX - box.left) / box.width), y: inside((event.clientY - box.top) / box.height) };
  measure();
}

function setRange(next) {
  range = next;
  for (const end of ["near", "far"]) if (document.activeElement !== at(end)) at(end).value = next[end];
}

function typeRange() {
  const [near, far] = [at("near").valueAsNumber, at("far").valueAsNumber];
  const valid = near >= 0 && far > near;
  for (const end of ["near", "far"]) at(end).setCustomValidity(valid ? "" : "near must be 0 or more, and far above it");
  if (!valid) return;
  at("auto").checked = false;
  range = { near, far };
  draw();
}

/** Ask for no frames while paused, or while nobody sees the page and nothing is recorded. */
function hold() {
  connection?.hold(isPaused() || (document.hidden && !recorder.media));
}

function toggleCloud() {
  const isSolid = at("solid").getAttribute("aria-pressed") !== "true";
  at("solid").setAttribute("aria-pressed", isSolid);
  at("main").dataset.view = isSolid ? "cloud" : "flat";
  cloud.show(isSolid);
  if (palette) draw();
}

function setPaused(paused) {
  at("pause").setAttribute("aria-pressed", paused);
  at("pause").textContent = paused ? "Resume" : "Pause";
  hold();
  state.tell();
}

function toggleRecord() {
  if (recorder.media) recorder.stop();
  else if (shown) {
    compose(view());
    recorder.start({ ...about, sources: [about.sources[source()]] });
    recorder.frames.add(shown.message);
  }
  at("open").disabled = Boolean(recorder.media);
  at("record").setAttribute("aria-pressed", Boolean(recorder.media));
  at("record").textContent = recorder.media ? "Stop recording" : "Record";
  hold();
}

function takeSnapshot() {
  if (!shown) return;
  const date = connection.date ?? new Date(freshness.taken);
  if (cloud.isShown) return saveStack(cloud.drawn(), date);
  compose(view());
  recorder.snapshot(date);
}

at("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  keepToken(at("token").value);
  connect();
});
for (const view of document.querySelectorAll(".view")) {
  view.addEventListener("pointermove", pointTo);
  view.addEventListener("pointerdown", pointTo);
  view.addEventListener("pointerleave", (event) => {
    if (event.pointerType !== "mouse") return; // A finger that is lifted leaves its point to be read.
    pointer = undefined;
    measure();
  });
}
for (const end of ["near", "far"]) at(end).addEventListener("input", typeRange);
at("auto").addEventListener("change", () => {
  if (at("auto").checked && shown) setRange(fittingRange(shown.depth) ?? range);
  draw();
});
at("fade").addEventListener("change", () => {
  cloud.retake();
  draw();
});
at("which").addEventListener("change", draw);
at("solid").addEventListener("click", toggleCloud);
at("pause").addEventListener("click", () => setPaused(!isPaused()));
at("snapshot").addEventListener("click", takeSnapshot);
at("record").addEventListener("click", toggleRecord);
at("source").addEventListener("change", chooseSource);
document.addEventListener("visibilitychange", hold);
window.addEventListener("resize", () => palette && draw());
window.addEventListener("hashchange", () => {
  takeToken(); // A link with a new token, opened where the page is already.
  connect();
});
at("notice").classList.remove("late");
state.become("connecting");
takeToken();
connect();
