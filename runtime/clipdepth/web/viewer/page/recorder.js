// Picture, depth and bar on one canvas: for snapshots, and for videos that the browser records, with their frames.

import { Frames } from "/recording.js";

const EDGE = 12;
const BAR = 44;
const FPS = 30;
const TYPES = ["video/mp4;codecs=avc1", "video/webm;codecs=vp9", "video/webm"];

export class Recorder {
  constructor() {
    this.canvas = document.createElement("canvas");
    this.media = null;
    this.frames = null;
  }

  get supported() {
    return "MediaRecorder" in window && "captureStream" in this.canvas;
  }

  /** Draw what the page shows. */
  compose(picture, depth, palette, range) {
    const { width, height } = picture;
    const size = { width: 2 * width, height: height + BAR + (height % 2) };
    if (this.canvas.width !== size.width || this.canvas.height !== size.height) Object.assign(this.canvas, size);
    const context = this.canvas.getContext("2d");
    context.fillStyle = "#181818";
    context.fillRect(0, 0, size.width, size.height);
    context.drawImage(picture, 0, 0);
    context.drawImage(depth, width, 0, width, height);
    palette.bar(context, { left: EDGE, top: height + 6, width: size.width - 2 * EDGE }, range);
  }

  /** Save what `compose` drew last; `date` is the picture's. */
  snapshot(date) {
    this.canvas.toBlob((blob) => save(blob, "png", date), "image/png");
  }

  /** Begin; `about` is what a recording says of its frames, see `Frames`. */
  start(about) {
    const frames = (this.frames = new Frames(about, new Date()));
    const type = TYPES.find((each) => MediaRecorder.isTypeSupported(each));
    const parts = [];
    this.media = new MediaRecorder(this.canvas.captureStream(FPS), { mimeType: type, videoBitsPerSecond: 8e6 });
    this.media.ondataavailable = ({ data }) => parts.push(data);
    this.media.onstop = () => {
      const video = new Blob(parts, { type });
      save(frames.behind(video), type.startsWith("video/mp4") ? "mp4" : "webm", new Date());
    };
    this.media.start(1000);
  }

  stop() {
    this.media?.stop();
    this.media = this.frames = null;
  }
}

/** Save canvases of one shape, each over the one before. */
export function saveStack(canvases, date) {
  const { width, height } = canvases[0];
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  for (const each of canvases) canvas.getContext("2d").drawImage(each, 0, 0, width, height);
  canvas.toBlob((blob) => save(blob, "png", date), "image/png");
}

function save(blob, suffix, date) {
  const time = date.toISOString().slice(0, 19).replaceAll(":", "-");
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob) });
  link.download = `clipdepth-${time}.${suffix}`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
