// A camera that turns around a point of the scene.

const VIEW = Math.PI / 4; // What it sees of the shorter side of its picture, radians.
const FILLED = 0.92; // How much of the picture a scene fills at first.
const STEEPEST = 1.55; // Radians; straight up and down there is no left and right.
const REACH = 500; // Metres beyond its point that are drawn.

export class Orbit {
  constructor() {
    Object.assign(this, { matrix: new Float32Array(16), width: 1, height: 1 });
    this.look([[0, 0, 0], [0, 0, 3]]);
  }

  /** Draw for a picture of a size, in pixels. */
  resize(width, height) {
    Object.assign(this, { width, height });
  }

  /** What is seen to the right of the middle and below it, at a metre ahead, metres. */
  slopes() {
    const shorter = Math.min(this.width, this.height);
    return [this.width, this.height].map((side) => (Math.tan(VIEW / 2) * side) / shorter);
  }

  /** Look at places, each [x, y, z], from the side and above, so that depth is seen and all fit into the picture. */
  look(places) {
    const target = [0, 1, 2].map((i) => places.reduce((sum, place) => sum + place[i], 0) / places.length); // So it turns in place.
    Object.assign(this, { yaw: 0.35, pitch: 0.3, target, distance: 1 });
    const axes = Object.values(this.axes());
    const [wide, high] = this.slopes().map((slope) => slope * FILLED);
    for (let turn = 0; turn < 5; turn++) {
      const seen = places.map((place) => axes.map((axis) => axis.reduce((sum, v, i) => sum + v * (place[i] - this.target[i]), 0)));
      this.distance = Math.max(0.05, ...seen.map(([x, y, z]) => Math.max(Math.abs(x) / wide, Math.abs(y) / high) - z));
      const middles = [0, 1].map((i) => middle(seen.map((each) => (this.distance * each[i]) / (each[2] + this.distance))));
      if (turn < 4) this.target = this.target.map((value, i) => value + middles[0] * axes[0][i] + middles[1] * axes[1][i]);
    }
  }

  /** Turn the scene by angles in radians, to the right and to the front. */
  turn(right, front) {
    this.yaw += right;
    this.pitch = Math.min(STEEPEST, Math.max(-STEEPEST, this.pitch + front));
  }

  /** Move the scene by parts of the picture's shorter side, to the right and down. */
  pan(x, y) {
    const { right, down } = this.axes();
    const metres = 2 * this.distance * Math.tan(VIEW / 2); // Of the shorter side.
    this.target = this.target.map((value, i) => value - metres * (x * right[i] + y * down[i]));
  }

  /** Come nearer by a factor. */
  zoom(factor) {
    this.distance = Math.min(300, Math.max(0.05, this.distance / factor));
  }

  /** Unit vectors of the picture, in the scene. */
  axes() {
    const [sy, cy, sp, cp] = [Math.sin(this.yaw), Math.cos(this.yaw), Math.sin(this.pitch), Math.cos(this.pitch)];
    return { right: [cy, 0, -sy], down: [-sy * sp, cp, -cy * sp], ahead: [sy * cp, sp, cy * cp] };
  }

  /** Bring `matrix`, from the scene to clip space, column after column, up to date. */
  aim() {
    const { right, down, ahead } = this.axes();
    const eye = this.target.map((value, i) => value - this.distance * ahead[i]);
    const near = this.distance / 50;
    const far = this.distance + REACH;
    const [wide, high] = this.slopes();
    const [slope, offset] = [(far + near) / (far - near), (-2 * far * near) / (far - near)];
    const rows = [right.map((v) => v / wide), down.map((v) => -v / high), ahead.map((v) => v * slope), ahead];
    const shifts = rows.map((row) => -(row[0] * eye[0] + row[1] * eye[1] + row[2] * eye[2]));
    shifts[2] += offset;
    rows.forEach((row, i) => [...row, shifts[i]].forEach((value, j) => (this.matrix[4 * j + i] = value)));
  }

  /** Pixels that a metre takes at a metre from the eye. */
  get focal() {
    return this.height / 2 / this.slopes()[1];
  }

  /** Where a place is in the picture: [x, y, metres before the eye], pixels from the top left; null behind the eye. */
  project([x, y, z]) {
    const m = this.matrix;
    const row = (i) => m[i] * x + m[i + 4] * y + m[i + 8] * z + m[i + 12];
    const ahead = row(3);
    if (ahead < 1e-3) return null;
    return [(row(0) / ahead + 1) * 0.5 * this.width, (1 - row(1) / ahead) * 0.5 * this.height, ahead];
  }
}

function middle(values) {
  return (Math.min(...values) + Math.max(...values)) / 2;
}
