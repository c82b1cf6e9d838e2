// The page: joins the connection to the canvases and controls.

import { Confidence } from "/confidence.js";
import { Connection } from "/connection.js";
import { Palette, decode, fittingRange } from "/depth.js";
import { Freshness } from "/freshness.js";
import { Numbers } from "/numbers.js";
import { sharp } from "/plot.js";
import { Recorder } from "/recorder.js";
import { State } from "/state.js";
import { askForToken, keepToken, keptToken, takeToken } from "/token.js";

const at = (id) => document.getElementById(id);
const source = () => Number(at("source").value || 0);
const isPaused = () => at("pause").getAttribute("aria-pressed") === "true";

const REFUSED = "The page came, but its live connection is refused. If a proxy is between, let it pass WebSockets on.";

const recorder = new Recorder();
const numbers = new Numbers(at);
const confidence = new Confidence(at);
const freshness = new Freshness();
const state = new State(at, freshness, isPaused);
let palette, range, connection, shown, pointer;

function connect() {
  connection?.close();
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
  at("ask").hidden = true;
  at("main").hidden = false;
  at("token").value = "";
  const isMetric = info.kind === "metric";
  const unit = isMetric ? "" : " · relative depth, not metres";
  at("engine").textContent = `${info.engine} on ${info.device}, ${info.precision}${unit} · clipdepth ${info.version}`;
  for (const control of document.querySelectorAll(".range")) control.hidden = !isMetric;
  confidence.show(info);
  at("bar").setAttribute("aria-label", isMetric ? "colours of depth in metres" : "colours from near to far, not metres");
  if (!isMetric) at("auto").checked = false; // Each frame comes with its own range; a reload may keep the mark.
  at("source").replaceChildren(...info.sources.map((name, i) => new Option(name, i)));
  at("source").value = chosen < info.sources.length ? chosen : 0;
  at("record").disabled = !recorder.supported;
  if (!palette || !isMetric || !palette.isMetric) setRange({ near: info.near, far: info.far });
  palette = new Palette(info.colours, info.unknown, isMetric);
  connection.source = source();
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
  shown?.picture.close();
  shown = undefined;
  freshness.forget();
  at("assumed").hidden = true;
  state.setCamera(null);
  for (const id of ["picture", "depth"]) at(id).getContext("2d").clearRect(0, 0, at(id).width, at(id).height);
  state.become("connecting");
  measure();
  connect();
}

async function showFrame(message, from) {
  const next = await decode(message);
  if (from !== connection) return next.picture.close();
  shown?.picture.close();
  shown = next;
  fit(at("picture"), next.picture);
  at("main").style.setProperty("--aspect", next.picture.width / next.picture.height);
  fit(at("depth"), next.header.depth);
  at("assumed").hidden = next.header.camera !== "assumed";
  if (at("auto").checked) setRange(fittingRange(next.depth) ?? range);
  draw();
  numbers.showAge(next.header.age);
  freshness.note(next.header);
  state.tell();
}

function draw() {
  drawBar();
  if (!shown) return;
  at("picture").getContext("2d").drawImage(shown.picture, 0, 0);
  palette.paint(at("depth"), shown.depth, range, confidence.fading(shown));
  if (recorder.media) recorder.compose(at("picture"), at("depth"), palette, range);
  measure();
}

function drawBar() {
  const { context, width, height } = sharp(at("bar"));
  context.clearRect(0, 0, width, height);
  palette.bar(context, { left: 0, top: 2, width }, range);
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
  label.textContent = distance(shown.depth[cell], shown.header.depth.kind, shown.confidence?.[cell]);
  const place = { left: `${pointer.x * 100}%`, top: `${pointer.y * 100}%` };
  marks.slice(1).forEach((cross) => Object.assign(cross.style, place));
  const shift = `translate(${pointer.x > 0.6 ? "calc(-100% - 12px)" : "12px"}, ${pointer.y > 0.7 ? "-140%" : "40%"})`;
  Object.assign(label.style, place, { transform: shift });
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

function togglePause() {
  const paused = !isPaused();
  at("pause").setAttribute("aria-pressed", paused);
  at("pause").textContent = paused ? "Resume" : "Pause";
  hold();
  state.tell();
}

function toggleRecord() {
  if (recorder.media) recorder.stop();
  else if (shown) {
    recorder.compose(at("picture"), at("depth"), palette, range);
    recorder.start();
  }
  at("record").setAttribute("aria-pressed", Boolean(recorder.media));
  at("record").textContent = recorder.media ? "Stop recording" : "Record";
  hold();
}

function takeSnapshot() {
  if (!shown) return;
  recorder.compose(at("picture"), at("depth"), palette, range);
  recorder.snapshot(new Date(freshness.taken));
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
at("fade").addEventListener("change", draw);
at("pause").addEventListener("click", togglePause);
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
