// Depth: decoding, colours, the bar that says what they mean.

const SURE = 64; // Steps in which colours fade.
const MOST_CELLS = 2 ** 22; // Forty times what a server sends: a larger depth is none, and would fill the memory.

/**
 * Split a message, see clipdepth/web/viewer/messages.py: {header, picture: ImageBitmap, depth: Uint16Array, confidence:
 * Uint8Array, measured: Uint16Array}. Depth is in mm where header.depth.kind is metric; else it goes from 1000, the frame's
 * nearest, to 2000, its farthest. Confidence goes from 0 to 255, which is 1, and is null where the model says nothing of it.
 * Measured depth, in mm, is null where the source has no sensor for it.
 * Throws where depth is larger than MOST_CELLS, or another size than the header says.
 */
export async function decode(message) {
  const length = new DataView(message).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(message, 4, length)));
  const { width, height } = header.depth;
  const cells = width * height;
  if (!(cells <= MOST_CELLS)) throw new Error(`its depth is ${width}×${height}, and this page shows ${MOST_CELLS} pixels at most`);
  let start = 4 + length;
  const [jpeg, ...planes] = ["picture", "depth", "confidence", "measured"].map((name) => {
    if (!header[name]) return null;
    const part = new Uint8Array(message, start, header[name].bytes);
    start += part.length;
    return part;
  });
  const [picture, depth, confidence, measured] = await Promise.all([
    createImageBitmap(new Blob([jpeg], { type: "image/jpeg" })),
    unpack(planes[0], new Uint16Array(cells)),
    planes[1] && unpack(planes[1], new Uint8Array(cells)),
    planes[2] && unpack(planes[2], new Uint16Array(cells)),
  ]);
  return { header, picture, depth, confidence, measured };
}

/** Fill a plane from its bytes, of which no more is inflated than the plane holds; see `pack` in messages.py. */
async function unpack(bytes, plane) {
  const inflated = new Uint8Array(plane.byteLength);
  const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate")).getReader();
  let taken = 0;
  for (let part; !(part = await reader.read()).done; ) {
    taken += part.value.length;
    if (taken > inflated.length) break;
    inflated.set(part.value, taken - part.value.length);
  }
  await reader.cancel();
  if (taken !== inflated.length) throw new Error("its depth has another size than it says");
  const view = new DataView(inflated.buffer);
  let value = 0;
  for (let i = 0; i < plane.length; i++) {
    value = (value + (plane.BYTES_PER_ELEMENT === 1 ? view.getUint8(i) : view.getUint16(2 * i, true))) & 0xffff;
    plane[i] = value;
  }
  return plane;
}

/** What stands below the colours of depth: `label` says it, `marks` gives [value, text] for a range and so many marks. */
export const METRES = {
  label: "colours of depth in metres",
  marks: ({ near, far }, room) => ticks(near, far, room).map((value) => [value, `${value} m`]),
};
export const NEAR_TO_FAR = {
  label: "colours from near to far, not metres",
  marks: ({ near, far }) => [[near, "near"], [far, "far"]],
};

export class Palette {
  /** Colours, RRGGBB, from the nearest to the farthest, that of unknown depth, and METRES or the like. */
  constructor(colours, unknown, scale) {
    this.scale = scale;
    this.texts = colours.map((colour) => `#${colour}`);
    this.unknown = word(unknown);
    const words = new Uint32Array(colours.map(word));
    this.faded = Array.from({ length: SURE + 1 }, (_, step) => words.map((each) => mixed(this.unknown, each, step / SURE)));
  }

  /**
   * Paint a plane of a message on a canvas of its size, 0 as unknown; `range` is {near, far} in thousands of its units.
   * By `fading`, from 0 to 255 a pixel, if any, colours fade to that of unknown depth.
   */
  paint(canvas, plane, { near, far }, fading) {
    const image = new ImageData(canvas.width, canvas.height);
    const pixels = new Uint32Array(image.data.buffer);
    const last = this.texts.length - 1;
    const scale = last / ((far - near) * 1000);
    for (let i = 0; i < plane.length; i++) {
      const level = Math.min(last, Math.max(0, Math.round((plane[i] - near * 1000) * scale)));
      const words = this.faded[fading ? Math.round((fading[i] / 255) * SURE) : SURE];
      pixels[i] = plane[i] ? words[level] : this.unknown;
    }
    canvas.getContext("2d").putImageData(image, 0, 0);
  }

  /** Draw the colours with what they mean below them into a box of `context`; lengths in its units. */
  bar(context, box, range) {
    const { near, far } = range;
    const gradient = context.createLinearGradient(box.left, 0, box.left + box.width, 0);
    this.texts.forEach((colour, i) => gradient.addColorStop(i / (this.texts.length - 1), colour));
    context.fillStyle = gradient;
    context.fillRect(box.left, box.top, box.width, 16);
    context.fillStyle = "#ebebeb";
    context.font = "13px system-ui, sans-serif";
    for (const [value, text] of this.scale.marks(range, box.width / 70)) {
      const x = box.left + ((value - near) / (far - near)) * box.width;
      const half = context.measureText(text).width / 2;
      context.fillRect(Math.min(x, box.left + box.width - 1), box.top + 16, 1, 4);
      const at = Math.min(Math.max(x - half, box.left), box.left + box.width - 2 * half);
      context.fillText(text, at, box.top + 34);
    }
  }
}

/** The range that holds all but the nearest and farthest 2%, {near, far} in metres; null where nothing is known. */
export function fittingRange(depth) {
  const known = depth.filter((value) => value > 0).sort();
  if (!known.length) return null;
  const near = Math.floor(known[Math.floor(known.length * 0.02)] / 100) / 10;
  const far = Math.ceil(known[Math.floor((known.length - 1) * 0.98)] / 100) / 10;
  return { near, far: Math.max(far, near + 0.1) };
}

function word(colour) {
  const value = parseInt(colour, 16); // RRGGBB; the canvas wants the bytes R, G, B, A.
  const bytes = new Uint8Array([value >> 16, (value >> 8) & 255, value & 255, 255]);
  return new Uint32Array(bytes.buffer)[0];
}

/** The word of a colour between two, byte by byte. */
function mixed(from, to, share) {
  let found = 0;
  for (let shift = 0; shift < 32; shift += 8) {
    const [a, b] = [(from >>> shift) & 255, (to >>> shift) & 255];
    found |= Math.round(a + (b - a) * share) << shift;
  }
  return found;
}

function ticks(near, far, room) {
  const steps = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50];
  const step = steps.find((each) => (far - near) / each <= Math.max(room, 1)) ?? far - near;
  const found = [];
  for (let i = Math.ceil(near / step - 1e-9); i * step <= far + 1e-9; i++) found.push(Number((i * step).toFixed(3)));
  return found.length ? found : [near, far];
}
