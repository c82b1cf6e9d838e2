// A recording: the video that the browser made, which any player plays, and behind its end the frames with their depth.
//
// What follows the video is one box (MP4) or element (WebM) that players skip: the frames' messages as the server sent
// them, see clipdepth/web/viewer/messages.py; an index, JSON; its length, uint32 little endian; and MARK.

const MARK = "clipdepth frames"; // 16 bytes.
const UUID = "8f2f4f0e6c4b4a0b9d3c5f1a7be0d201"; // The box's own, see ISO/IEC 14496-12, 4.2.
const FOOT = 4 + MARK.length;
const LARGEST_INDEX = 64 * 2 ** 20; // Bytes: twelve days of frames.
const LARGEST_FRAME = 16 * 2 ** 20;

export class NotARecording extends Error {}

/** The frames of a recording that is being made. They are given to the browser as blobs, which it may put on disk. */
export class Frames {
  /** `about` is what the server says of itself, see `describe` in clipdepth/web/viewer/status.py, and of the `source`. */
  constructor(about, date) {
    Object.assign(this, { about, date, start: performance.now(), parts: [], index: [] });
  }

  add(message) {
    this.parts.push(new Blob([message]));
    this.index.push([Math.round(performance.now() - this.start), message.byteLength]);
  }

  /** The whole recording, with a video that the browser made. */
  behind(video) {
    const index = JSON.stringify({ version: 1, about: this.about, date: this.date, frames: this.index });
    const text = new TextEncoder().encode(index);
    const foot = new Uint8Array(FOOT);
    new DataView(foot.buffer).setUint32(0, text.length, true);
    foot.set(new TextEncoder().encode(MARK), 4);
    const inside = new Blob([...this.parts, text, foot]);
    const head = video.type.startsWith("video/mp4") ? boxHead(inside.size) : voidHead(inside.size);
    return new Blob([video, head, inside], { type: video.type });
  }
}

/** A 'uuid' box of MP4, with a 64-bit size. */
function boxHead(length) {
  const head = new Uint8Array(32);
  const view = new DataView(head.buffer);
  view.setUint32(0, 1);
  head.set(new TextEncoder().encode("uuid"), 4);
  view.setBigUint64(8, BigInt(length + head.length));
  for (let i = 0; i < 16; i++) head[16 + i] = parseInt(UUID.slice(2 * i, 2 * i + 2), 16);
  return head;
}

/** A Void element of WebM, see RFC 8794, 11.3.2, with a size of eight bytes. */
function voidHead(length) {
  const head = new Uint8Array(9);
  new DataView(head.buffer).setBigUint64(1, BigInt(length) | (1n << 56n));
  head[0] = 0xec;
  return head;
}

/** Read a file's index; throws NotARecording. */
export async function openRecording(file) {
  const foot = await file.slice(Math.max(0, file.size - FOOT)).arrayBuffer();
  const mark = new TextDecoder().decode(foot.slice(4));
  if (foot.byteLength !== FOOT || mark !== MARK) {
    throw new NotARecording(`${file.name} has no depth in it. Open a file of this page's Record, not cut or converted.`);
  }
  const length = new DataView(foot).getUint32(0, true);
  const end = file.size - FOOT - length;
  try {
    if (end < 0 || length > LARGEST_INDEX) throw new Error("its index does not fit");
    const index = JSON.parse(await file.slice(end, end + length).text());
    return new Recording(file, index, end);
  } catch (error) {
    console.warn(error);
    throw new NotARecording(`${file.name} is damaged or from a newer version; copy it again, or open it in that version.`);
  }
}

export class Recording {
  /** `end` is where the frames end in the file. Throws where the index is not sound. */
  constructor(file, { version, about, date, frames }, end) {
    if (version !== 1 || !frames.length) throw new Error(`version ${version}, ${frames.length} frames`);
    const sizes = frames.map(([, bytes]) => bytes);
    const isSound = ([ms, bytes], i) => ms >= (frames[i - 1]?.[0] ?? 0) && Number.isInteger(bytes) && bytes > 0 && bytes <= LARGEST_FRAME;
    let place = end - sizes.reduce((sum, bytes) => sum + bytes, 0);
    if (!frames.every(isSound) || place < 0) throw new Error("frames that cannot be");
    const areColours = [about.unknown, ...about.colours].every((colour) => /^[0-9a-f]{6}$/.test(colour));
    if (!areColours || !(about.near >= 0 && about.far > about.near)) throw new Error("colours that cannot be");
    const first = frames[0][0];
    this.times = frames.map(([ms]) => ms - first);
    this.places = sizes.map((bytes) => [place, (place += bytes)]);
    Object.assign(this, { file, about, date: new Date(new Date(date).getTime() + first) });
  }

  get name() {
    return this.file.name;
  }

  /** Milliseconds from the first frame to the last one. */
  get length() {
    return this.times.at(-1);
  }

  /** The number of the frame that is shown at a time, in milliseconds. */
  frameAt(ms) {
    let [low, high] = [0, this.times.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.times[middle] <= ms) low = middle;
      else high = middle;
    }
    return low;
  }

  /** A frame's message. */
  message(number) {
    return this.file.slice(...this.places[number]).arrayBuffer();
  }
}
