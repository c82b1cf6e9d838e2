// The distance between two points that a person chose. They are pixels: each new frame says where those lie then.

import { placeOf } from "/cloud/space.js";

const AIM = { mouse: 10, finger: 22 }; // How many pixels beside a point a click may be.
const DOT = 6; // Its radius, pixels.

export class Ruler {
  constructor() {
    this.clear();
  }

  clear() {
    this.cells = [];
  }

  /** Choose the point at a place of the picture; after two, the first of the next two. */
  choose(scene, orbit, x, y, isFinger) {
    const cell = pick(scene, orbit, x, y, isFinger ? AIM.finger : AIM.mouse);
    if (cell === null) return;
    this.cells = this.cells.length === 2 ? [cell] : [...this.cells, cell];
  }

  /** Draw the points chosen and the line between, with words that are returned too; "" for none. */
  draw(context, scene, orbit) {
    const places = this.cells.map((cell) => placeOf(scene.depth, scene.rays, cell));
    const dots = places.map((place) => place && orbit.project(place)).filter(Boolean);
    for (const [width, colour] of [[5, "#000a"], [2, "#fff"]]) {
      context.lineWidth = width;
      context.strokeStyle = colour;
      context.beginPath();
      dots.forEach(([x, y]) => context.lineTo(x, y));
      dots.forEach(([x, y]) => {
        context.moveTo(x + DOT, y);
        context.arc(x, y, DOT, 0, 7);
      });
      context.stroke();
    }
    const text = words(places);
    if (dots.length) this.write(context, dots, text, orbit);
    return text;
  }

  /** Write between the dots, or beside them where there is no room, inside the picture. */
  write(context, dots, text, { width, height }) {
    context.font = "600 17px system-ui, sans-serif";
    const wide = context.measureText(text).width + 16;
    const [first, last] = [dots[0], dots.at(-1)].sort((one, other) => one[0] - other[0]);
    const isRoomy = last[0] - first[0] > wide + 4 * DOT;
    const x = isRoomy ? (first[0] + last[0] - wide) / 2 : last[0] + 2 * DOT;
    const y = isRoomy ? (first[1] + last[1]) / 2 : last[1];
    const left = Math.max(4, Math.min(x, width - wide - 4));
    const top = Math.max(4, Math.min(y - 14, height - 32));
    context.fillStyle = "#000c";
    context.beginPath();
    context.roundRect(left, top, wide, 28, 5);
    context.fill();
    context.fillStyle = "#fff";
    context.fillText(text, left + 8, top + 20);
  }
}

function words(places) {
  if (!places.length) return "";
  if (places.includes(null)) return "unknown";
  if (places.length < 2) return "now the second point";
  const [from, to] = places;
  return `${Math.hypot(...from.map((value, i) => value - to[i])).toFixed(3)} m`;
}

/**
 * The cell drawn at a place: of those whose points cover it the one nearest to the eye; else, the one whose point is
 * nearest in the picture, if no more than `aim` pixels away; else null.
 */
function pick({ depth, rays }, orbit, x, y, aim) {
  const best = { covering: Infinity, cover: null, beside: aim, near: null };
  const angle = rays.across.length > 1 ? rays.across[1] - rays.across[0] : 0;
  for (let cell = 0; cell < depth.length; cell++) {
    const place = placeOf(depth, rays, cell);
    const dot = place && orbit.project(place);
    if (!dot) continue;
    const off = Math.max(Math.abs(dot[0] - x), Math.abs(dot[1] - y));
    const half = Math.max(1, (angle * place[2] * orbit.focal) / dot[2]) / 2;
    if (off <= half && dot[2] < best.covering) Object.assign(best, { covering: dot[2], cover: cell });
    if (off < best.beside) Object.assign(best, { beside: off, near: cell });
  }
  return best.cover ?? best.near;
}
