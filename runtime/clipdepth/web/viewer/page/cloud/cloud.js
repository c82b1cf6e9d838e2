// The second view: a frame as a cloud of points over a grid, that a person turns and measures in.

import { Colours } from "/cloud/colours.js";
import { listen } from "/cloud/gestures.js";
import { Grid } from "/cloud/grid.js";
import { Orbit } from "/cloud/orbit.js";
import { painterOf } from "/cloud/painter.js";
import { Ruler } from "/cloud/ruler.js";
import { boundsOf, obstacle, placeOf, raysOf } from "/cloud/space.js";
import { sharp } from "/plot.js";

const SOME = 2000; // Places that are looked at to choose the view.

export class Cloud {
  /** `at` gives the page's element of an id; `confidence`, what is unsure. */
  constructor(at, confidence) {
    Object.assign(this, { at, confidence, canvas: at("cloud"), scene: null, painter: null });
    Object.assign(this, { orbit: new Orbit(), grid: new Grid(), ruler: new Ruler(), colours: new Colours() });
    this.waiting = false;
    this.isShown = false;
    listen(this.canvas, this.orbit, () => this.refresh(), (...click) => this.measure(...click));
    this.canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    this.canvas.addEventListener("webglcontextrestored", () => this.begin());
    at("reset").addEventListener("click", () => this.reset());
    new ResizeObserver(() => this.refresh()).observe(this.canvas);
  }

  /** Show it or hide it. What is hidden takes no time; what draws it stays for when it is shown again. */
  show(isShown) {
    this.isShown = isShown;
    if (!isShown) return;
    if (this.painter) this.retake();
    else this.begin();
  }

  begin() {
    this.painter = painterOf(this.canvas);
    this.painter.lay(this.grid.strokes);
    this.retake();
  }

  /** Take a frame, as `decode` gives it; undefined for none. Its picture must stay open until the next one. */
  take(shot) {
    this.shot = shot;
    this.retake();
  }

  /** Take the frame again: what is unsure shows or not. */
  retake() {
    if (!this.isShown) return;
    const { shot } = this;
    const isSolid = shot && !obstacle(shot.header);
    this.scene = isSolid ? this.sceneOf(shot) : null;
    this.painter.take(this.scene);
    if (this.scene && !this.grid.step) this.fit();
    this.refresh();
  }

  /** What is drawn and measured: depth; its rays, see `raysOf`; colours, RGBA for each cell; the pinhole of the header. */
  sceneOf(shot) {
    const { width, height } = shot.header.depth;
    const colours = this.confidence.fade(this.colours.of(shot.picture, width, height), shot);
    return { depth: this.confidence.known(shot), rays: raysOf(shot.header), colours, pinhole: shot.header.pinhole };
  }

  /** Forget the camera: another one's pictures follow. */
  forget() {
    this.ruler.clear();
    this.grid.clear();
    this.take(undefined);
  }

  /** Look at the whole scene again, with a grid for it, and forget the points chosen. */
  reset() {
    this.ruler.clear();
    this.fit();
    this.refresh();
  }

  fit() {
    const bounds = this.scene && boundsOf(this.scene.depth, this.scene.rays);
    if (!bounds) return;
    this.grid.lay(bounds, this.scene.rays);
    this.painter.lay(this.grid.strokes);
    this.orbit.resize(this.canvas.clientWidth, this.canvas.clientHeight);
    this.orbit.look([[0, 0, 0], ...this.some().filter(([, , z]) => z <= bounds.far)]);
  }

  /** Some of the scene's places, which stand for all. */
  some() {
    const { depth, rays } = this.scene;
    const every = Math.ceil(depth.length / SOME);
    const cells = Array.from({ length: Math.floor(depth.length / every) }, (_, i) => i * every);
    return cells.map((cell) => placeOf(depth, rays, cell)).filter(Boolean);
  }

  measure(x, y, isFinger) {
    if (this.scene) this.ruler.choose(this.scene, this.orbit, x, y, isFinger);
    this.refresh();
  }

  /** Draw before the screen shows the next picture, once for all that changes until then. */
  refresh() {
    if (!this.isShown || this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      if (this.isShown) this.draw();
    });
  }

  draw() {
    const why = this.shot && obstacle(this.shot.header);
    this.at("obstacle").hidden = !why;
    this.at("obstacle").textContent = why ?? "";
    const { painter, canvas, orbit } = this;
    const ratio = Math.min(window.devicePixelRatio || 1, painter.sharpness);
    const { clientWidth: width, clientHeight: height } = canvas;
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
    orbit.resize(w, h);
    orbit.aim();
    painter.paint(orbit);
    orbit.resize(width, height);
    this.write();
  }

  /** What is written and drawn over the points. */
  write() {
    const { context, width, height } = sharp(this.at("marks"));
    context.clearRect(0, 0, width, height);
    if (this.scene) this.grid.write(context, this.orbit);
    const words = this.scene ? this.ruler.draw(context, this.scene, this.orbit) : "";
    if (this.at("span").textContent !== words) this.at("span").textContent = words; // Screen readers read it aloud.
  }

  /** The canvases as they are now, the lower one first. */
  drawn() {
    this.draw();
    return [this.canvas, this.at("marks")];
  }
}
