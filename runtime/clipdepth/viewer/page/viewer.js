// The page: joins the connection to the canvases and controls.

import { Connection, Unauthorised, fetchInfo } from "/connection.js";
import { Palette, decode, fittingRange } from "/depth.js";
import { Plot, sharp } from "/plot.js";
import { Recorder } from "/recorder.js";

const at = (id) => document.getElementById(id);
const STAGES = { engine: "engine", resize: "resize", capture_to_depth: "capture → depth" };
const RETRY_MS = 2000;

const recorder = new Recorder();
const rates = new Plot(at("rates"), "fps");
const ages = new Plot(at("ages"), "ms");
let palette, range, connection, shown, pointer, before;

function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given) {
    sessionStorage.setItem("token", given);
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem("token");
}

async function begin() {
  try {
    show(await fetchInfo(takeToken()));
  } catch (error) {
    if (error instanceof Unauthorised) return askForToken();
    state("lost", "no answer, trying again");
    setTimeout(begin, RETRY_MS);
  }
}

function askForToken() {
  at("wrong").hidden = !sessionStorage.getItem("token");
  at("ask").hidden = false;
  at("token").focus();
  state("waiting", "token needed");
}

function show(info) {
  at("ask").hidden = true;
  at("main").hidden = false;
  palette = new Palette(info.colours, info.unknown);
  at("engine").textContent = `${info.engine} on ${info.device}, ${info.precision} · clipdepth ${info.version}`;
  at("source").replaceChildren(...info.sources.map((name, i) => new Option(name, i)));
  setRange({ near: info.near, far: info.far });
  at("record").disabled = !recorder.supported;
  connect(info.full);
}

function connect(full) {
  connection?.close();
  before = undefined;
  state("waiting", full ? "waiting: too many viewers" : "connecting");
  connection = new Connection(at("source").value || 0, sessionStorage.getItem("token"), {
    frame: showFrame,
    status: showStatus,
    live: () => state("live", isPaused() ? "paused" : "live"),
    lost: () => state("lost", "no connection, trying again"),
  });
  hold();
}

async function showFrame(message) {
  const next = await decode(message);
  shown?.picture.close();
  shown = next;
  fit(at("picture"), next.picture);
  at("main").style.setProperty("--aspect", next.picture.width / next.picture.height);
  fit(at("depth"), next.header.depth);
  if (at("auto").checked) setRange(fittingRange(next.depth) ?? range);
  draw();
  at("age").textContent = `${(next.header.age * 1000).toFixed(1)} ms`;
  ages.add(next.header.age * 1000);
}

function draw() {
  drawBar();
  if (!shown) return;
  at("picture").getContext("2d").drawImage(shown.picture, 0, 0);
  palette.paint(at("depth"), shown.depth, range);
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
  const millimetres = shown.depth[cell];
  label.textContent = millimetres ? `${(millimetres / 1000).toFixed(3)} m` : "unknown";
  const place = { left: `${pointer.x * 100}%`, top: `${pointer.y * 100}%` };
  marks.slice(1).forEach((cross) => Object.assign(cross.style, place));
  const shift = `translate(${pointer.x > 0.6 ? "calc(-100% - 12px)" : "12px"}, ${pointer.y > 0.7 ? "-140%" : "40%"})`;
  Object.assign(label.style, place, { transform: shift });
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

const isPaused = () => at("pause").getAttribute("aria-pressed") === "true";

/** Ask for no frames while paused, or while nobody sees the page and nothing is recorded. */
function hold() {
  connection?.hold(isPaused() || (document.hidden && !recorder.media));
}

function togglePause() {
  const paused = !isPaused();
  at("pause").setAttribute("aria-pressed", paused);
  at("pause").textContent = paused ? "Resume" : "Pause";
  if (at("state").dataset.state === "live") state("live", paused ? "paused" : "live");
  hold();
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
  recorder.snapshot();
}

function showStatus(status) {
  const mine = status.sources[at("source").value || 0];
  if (!mine) return;
  const seconds = before ? status.time - before.time : 0;
  if (seconds > 0) {
    const rate = (mine.processed - before.processed) / seconds;
    rates.add(rate);
    at("rate").textContent = `${rate.toFixed(1)} fps`;
  }
  if (!before || seconds > 0) before = { time: status.time, processed: mine.processed };
  showLatency(status.latency);
  showCounters(mine, status.viewers);
}

function showLatency(latency) {
  const rows = Object.entries(STAGES).filter(([stage]) => latency[stage]).map(([stage, name]) => {
    const row = document.createElement("tr");
    const { p50, p90, p99 } = latency[stage];
    for (const text of [name, ...[p50, p90, p99].map((ms) => ms.toFixed(1))]) row.insertCell().textContent = text;
    return row;
  });
  at("latency").tBodies[0].replaceChildren(...rows);
}

function showCounters(source, viewers) {
  const dropped = Object.entries(source.dropped).map(([stage, frames]) => [`dropped before ${stage}`, frames]);
  const counters = [
    ["frames captured", source.captured],
    ["frames processed", source.processed],
    ...(dropped.length ? dropped : [["frames dropped", 0]]),
    ["source lost", source.losses],
    ["viewers", viewers],
  ];
  const parts = counters.flatMap(([name, value]) => [element("dt", name), element("dd", value.toLocaleString("en"))]);
  at("counters").replaceChildren(...parts);
}

function element(tag, text) {
  return Object.assign(document.createElement(tag), { textContent: text });
}

function state(kind, text) {
  at("state").dataset.state = kind;
  at("state").textContent = text;
}

at("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem("token", at("token").value);
  begin();
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
at("pause").addEventListener("click", togglePause);
at("snapshot").addEventListener("click", takeSnapshot);
at("record").addEventListener("click", toggleRecord);
at("source").addEventListener("change", () => connect(false));
document.addEventListener("visibilitychange", hold);
window.addEventListener("resize", () => palette && draw());
begin();
