// The ground in metres, and the camera that filmed: lines, and the numbers beside them.

const STEPS = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20]; // Metres between lines.
const MOST = 10; // Lines ahead, at most.
const ROOM = 14; // Pixels for a number.
const CAMERA = 0.06; // How far ahead the camera's drawing reaches, as a part of the scene's depth.
const GREY = [0.32, 0.32, 0.32];
const BLUE = [0.35, 0.78, 0.95];

export class Grid {
  constructor() {
    this.clear();
  }

  clear() {
    Object.assign(this, { step: 0, strokes: [], labels: [] });
  }

  /** Lay it below the scene, at the height of its lowest points; see `boundsOf` and `raysOf` for the arguments. */
  lay(bounds, { across, down }) {
    const step = STEPS.find((each) => bounds.far / each <= MOST) ?? bounds.far / MOST;
    const [left, right] = [Math.floor(bounds.left / step), Math.ceil(bounds.right / step)];
    const far = Math.ceil(bounds.far / step);
    const at = (x, z) => [x * step, bounds.bottom, z * step];
    const lines = [];
    for (let x = left; x <= right; x++) lines.push(...at(x, 0), ...at(x, far));
    for (let z = 0; z <= far; z++) lines.push(...at(left, z), ...at(right, z));
    const text = (z) => `${Number((z * step).toFixed(2))} m`;
    const labels = Array.from({ length: far }, (_, z) => ({ ends: [at(left, z + 1), at(right, z + 1)], text: text(z + 1) }));
    const camera = pyramid(across, down, CAMERA * bounds.far);
    Object.assign(this, { step, labels, strokes: [{ ends: lines, colour: GREY }, { ends: camera, colour: BLUE }] });
  }

  /** Write the metres ahead at the lines' ends that are nearer to the eye; `context` is that of a canvas in the orbit's pixels. */
  write(context, orbit) {
    context.font = "12px system-ui, sans-serif";
    context.lineWidth = 3;
    context.strokeStyle = "#0f0f0f";
    context.fillStyle = "#c8c8c8";
    let last = null;
    for (const { ends, text } of this.labels) {
      const [left, right] = ends.map((end) => orbit.project(end));
      if (!left || !right) continue;
      const isRight = right[2] < left[2];
      const [x, y] = isRight ? right : left;
      if (y < ROOM || y > orbit.height - ROOM / 2) continue; // Half a number would be cut off.
      if (last && Math.abs(last[1] - y) < ROOM && Math.abs(last[0] - x) < 3 * ROOM) continue;
      last = [x, y];
      const wide = context.measureText(text).width;
      const beside = isRight === right[0] > left[0] ? x + 6 : x - 6 - wide;
      const at = [Math.max(4, Math.min(beside, orbit.width - wide - 4)), y + 4];
      context.strokeText(text, ...at);
      context.fillText(text, ...at);
    }
  }
}

/** Lines from the camera to the corners of what it sees at `z` ahead, and between those. */
function pyramid(across, down, z) {
  const corner = (x, y) => [x * z, y * z, z];
  const [left, right, top, bottom] = [across[0], across.at(-1), down[0], down.at(-1)];
  const corners = [corner(left, top), corner(right, top), corner(right, bottom), corner(left, bottom)];
  return corners.flatMap((each, i) => [0, 0, 0, ...each, ...each, ...corners[(i + 1) % 4]]);
}
