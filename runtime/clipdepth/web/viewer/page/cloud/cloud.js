// The second view: a frame as a cloud of points over a grid, that a person turns and measures in.

import { listen } from "/cloud/gestures.js";
import { Grid } from "/cloud/grid.js";
import { Orbit } from "/cloud/orbit.js";
import { Points } from "/cloud/points.js";
import { Ruler } from "/cloud/ruler.js";
import { boundsOf, obstacle, placeOf, raysOf } from "/cloud/space.js";
import { sharp } from "/plot.js";

const NO_WEBGL = "This browser has no WebGL 2, or it is switched off, so there is no cloud.";
const SOME = 2000; // Places that are looked at to choose the view.
const SHARPEST = 2; // Device pixels for each of CSS; more would cost much and show little.

export class Cloud {
  /** `at` gives the page's element of an id. */
  constructor(at) {
    Object.assign(this, { at, canvas: at("cloud"), orbit: new Orbit(), ruler: new Ruler(), scene: null, gl: null });
    this.waiting = false;
    this.isShown = false;
    listen(this.canvas, this.orbit, () => this.refresh(), (...click) => this.measure(...click));
    this.canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    this.canvas.addEventListener("webglcontextrestored", () => this.begin());
    at("reset").addEventListener("click", () => this.reset());
    new ResizeObserver(() => this.refresh()).observe(this.canvas);
  }

  /** Show it or hide it. What is hidden takes no time; textures stay for when it is shown again. */
  show(isShown) {
    this.isShown = isShown;
    if (!isShown) return;
    this.gl ??= this.canvas.getContext("webgl2", { alpha: false, antialias: false });
    if (this.gl && !this.points) this.begin();
    else this.take(this.shot);
  }

  begin() {
    this.points = new Points(this.gl);
    this.grid = new Grid(this.gl);
    this.gl.enable(this.gl.DEPTH_TEST);
    this.gl.clearColor(0.06, 0.06, 0.06, 1);
    this.take(this.shot);
  }

  /** Take a frame, as `decode` gives it; undefined for none. Its picture must stay open until the next one. */
  take(shot) {
    this.shot = shot;
    if (!this.isShown) return;
    if (!this.gl) return this.refresh();
    const isSolid = shot && !obstacle(shot.header);
    this.scene = isSolid ? { depth: shot.depth, rays: raysOf(shot.header) } : null;
    this.points.take(isSolid ? shot : null);
    if (this.scene && !this.grid.step) this.fit();
    this.refresh();
  }

  /** Forget the camera: another one's pictures follow. */
  forget() {
    this.ruler.clear();
    this.grid?.clear();
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
    const why = this.gl ? this.shot && obstacle(this.shot.header) : NO_WEBGL;
    this.at("obstacle").hidden = !why;
    this.at("obstacle").textContent = why ?? "";
    if (!this.gl) return;
    const { gl, canvas, orbit } = this;
    const ratio = Math.min(window.devicePixelRatio || 1, SHARPEST);
    const { clientWidth: width, clientHeight: height } = canvas;
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
    gl.viewport(0, 0, w, h);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    if (this.scene) {
      orbit.resize(w, h);
      orbit.aim();
      this.grid.draw(orbit);
      this.points.draw(orbit);
    }
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
