// Draws the cloud without a graphics processor: an image and, for each of its pixels, how near to the eye what it shows is.

const OVERLAP = 1.2; // How much wider than the way to the next ones a point is, so that surfaces are closed.
const WIDEST = 64; // Pixels of a point.
const EDGE = 0.05; // A next one that is so much nearer or farther lies on another surface.
const NEAREST = 1e-3; // Metres before the eye.

export class ProcessorPainter {
  /** Pixels for each of CSS, at most. Points are wider than one. */
  sharpness = 1;

  /** `background` is a colour [red, green, blue] from 0 to 1, as are all here. */
  constructor(context, background) {
    Object.assign(this, { context, background: wordOf(background), strokes: [], scene: null, image: new ImageData(1, 1) });
    this.x = this.y = this.near = new Float32Array(0);
  }

  /** Take lines, [{ends, colour}] with six numbers for each line. */
  lay(strokes) {
    this.strokes = strokes;
  }

  /** Take the points, see `sceneOf`; null for none. */
  take(scene) {
    this.scene = scene;
    if (!scene || scene.depth.length === this.x.length) return;
    [this.x, this.y, this.near] = [0, 1, 2].map(() => new Float32Array(scene.depth.length));
  }

  /** Draw both as the orbit sees them, at its size. */
  paint(orbit) {
    const { width, height } = orbit;
    if (!width || !height) return;
    if (this.image.width !== width || this.image.height !== height) {
      this.image = new ImageData(width, height);
      this.words = new Uint32Array(this.image.data.buffer);
      this.nearness = new Float32Array(width * height); // One over the metres before the eye.
    }
    this.words.fill(this.background);
    this.nearness.fill(0);
    if (this.scene) {
      for (const { ends, colour } of this.strokes) {
        for (let i = 0; i < ends.length; i += 6) this.line(orbit.matrix, ends.slice(i, i + 6), wordOf(colour));
      }
      this.place(orbit);
      this.fill(orbit);
    }
    this.context.putImageData(this.image, 0, 0);
  }

  /** Find where each point is in the picture. */
  place({ matrix: m, width, height }) {
    const { depth, rays } = this.scene;
    const { x, y, near } = this;
    const [acrossX, acrossY, acrossW] = [0, 1, 3].map((i) => Float64Array.from(rays.across, (value) => m[i] * value));
    for (let row = 0, cell = 0; row < rays.down.length; row++) {
      const [downX, downY, downW] = [0, 1, 3].map((i) => m[4 + i] * rays.down[row] + m[8 + i]);
      for (let column = 0; column < acrossX.length; column++, cell++) {
        const z = depth[cell] * 0.001;
        const ahead = z * (acrossW[column] + downW) + m[15];
        const scale = z > 0 && ahead > NEAREST ? 1 / ahead : 0;
        near[cell] = scale;
        x[cell] = ((z * (acrossX[column] + downX) + m[12]) * scale + 1) * 0.5 * width;
        y[cell] = (1 - (z * (acrossY[column] + downY) + m[13]) * scale) * 0.5 * height;
      }
    }
  }

  /** Fill what each point covers: a box over the ways to the next one in its row and in its column. */
  fill({ focal, width, height }) {
    const { x, y, near, words, nearness } = this;
    const { depth, rays, colours } = this.scene;
    const columns = rays.across.length;
    const angle = columns > 1 ? rays.across[1] - rays.across[0] : 0;
    const colourWords = new Uint32Array(colours.buffer);
    for (let cell = 0; cell < depth.length; cell++) {
      const here = near[cell];
      if (here === 0) continue;
      const z = depth[cell];
      const frontal = angle * z * 0.001 * focal * here; // Where the next one lies on another surface.
      let [wide, high] = [0, 0];
      const right = cell + 1;
      if (right % columns && near[right] > 0 && Math.abs(depth[right] - z) <= EDGE * z) {
        wide += Math.abs(x[right] - x[cell]);
        high += Math.abs(y[right] - y[cell]);
      } else wide += frontal;
      const below = cell + columns;
      if (below < depth.length && near[below] > 0 && Math.abs(depth[below] - z) <= EDGE * z) {
        wide += Math.abs(x[below] - x[cell]);
        high += Math.abs(y[below] - y[cell]);
      } else high += frontal;
      const halfWide = 0.5 * Math.min(WIDEST, Math.max(1, OVERLAP * wide));
      const halfHigh = 0.5 * Math.min(WIDEST, Math.max(1, OVERLAP * high));
      const left = Math.max(0, Math.round(x[cell] - halfWide));
      const end = Math.min(width, Math.round(x[cell] + halfWide));
      const bottom = Math.min(height, Math.round(y[cell] + halfHigh));
      const word = colourWords[cell];
      for (let line = Math.max(0, Math.round(y[cell] - halfHigh)); line < bottom; line++) {
        for (let i = line * width + left, last = line * width + end; i < last; i++) {
          if (here > nearness[i]) {
            nearness[i] = here;
            words[i] = word;
          }
        }
      }
    }
  }

  /** Draw a line between two places of the scene, [x, y, z, x, y, z]. */
  line(m, ends, word) {
    const { width, height } = this.image;
    const seen = ([x, y, z]) => [0, 1, 3].map((row) => m[row] * x + m[row + 4] * y + m[row + 8] * z + m[row + 12]);
    const [from, to] = [seen(ends.slice(0, 3)), seen(ends.slice(3))];
    let [start, end] = [0, 1]; // The part that is seen: where all of `inside` are positive.
    const inside = ([x, y, ahead]) => [ahead - NEAREST, ahead - x, ahead + x, ahead - y, ahead + y];
    const [first, last] = [inside(from), inside(to)];
    first.forEach((value, i) => {
      const way = value - last[i];
      if (way < 0) start = Math.max(start, value / way);
      else if (way > 0) end = Math.min(end, value / way);
      else if (value < 0) end = -1;
    });
    if (start >= end) return;
    const [one, other] = [start, end].map((share) => {
      const [x, y, ahead] = from.map((value, i) => value + share * (to[i] - value));
      return [(x / ahead + 1) * 0.5 * width, (1 - y / ahead) * 0.5 * height, 1 / ahead];
    });
    const way = other.map((value, i) => value - one[i]);
    const steps = Math.max(1, Math.ceil(Math.max(Math.abs(way[0]), Math.abs(way[1]))));
    for (let step = 0; step <= steps; step++) {
      const share = step / steps;
      const row = Math.min(height - 1, Math.floor(one[1] + share * way[1]));
      const cell = row * width + Math.min(width - 1, Math.floor(one[0] + share * way[0]));
      const near = one[2] + share * way[2];
      if (near <= this.nearness[cell]) continue;
      this.nearness[cell] = near;
      this.words[cell] = word;
    }
  }
}

/** The word of a colour; the image wants the bytes red, green, blue, alpha. */
function wordOf(colour) {
  return new Uint32Array(new Uint8Array([...colour.map((part) => Math.round(255 * part)), 255]).buffer)[0];
}
