// What mouse, fingers and keys do to an orbit.

const TURN = 0.006; // Radians a pixel.
const STILL = { mouse: 4, pen: 8, touch: 12 }; // Pixels that a click may wander.
const LINE_PX = 16;
const KEY_PX = 24;

/**
 * Turn an orbit by one finger or the mouse, move it by two fingers, the right button or Shift, zoom by the wheel or a
 * pinch; or by arrows, Shift and arrows, + and -. Calls `changed` after each, and `clicked` with a click's place in
 * pixels of the canvas and whether a finger made it.
 */
export function listen(canvas, orbit, changed, clicked) {
  const held = new Map();
  let travelled = 0;

  const move = (dx, dy, isPan) => {
    const shorter = Math.min(canvas.clientWidth, canvas.clientHeight);
    if (isPan) orbit.pan(dx / shorter, dy / shorter);
    else orbit.turn(dx * TURN, dy * TURN);
    changed();
  };

  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    held.set(event.pointerId, [event.clientX, event.clientY]);
    travelled = held.size > 1 ? Infinity : 0;
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!held.has(event.pointerId)) return;
    const before = span([...held.values()]);
    held.set(event.pointerId, [event.clientX, event.clientY]);
    const after = span([...held.values()]);
    const [dx, dy] = [after.x - before.x, after.y - before.y];
    travelled += Math.hypot(dx, dy);
    if (travelled < STILL[event.pointerType]) return;
    if (before.width && after.width) orbit.zoom(after.width / before.width);
    move(dx, dy, held.size > 1 || event.shiftKey || event.buttons > 1);
  });
  canvas.addEventListener("pointerup", (event) => {
    if (!held.delete(event.pointerId) || event.button !== 0 || travelled >= STILL[event.pointerType]) return;
    const box = canvas.getBoundingClientRect();
    clicked(event.clientX - box.left, event.clientY - box.top, event.pointerType === "touch");
  });
  canvas.addEventListener("pointercancel", (event) => held.delete(event.pointerId));
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      orbit.zoom(Math.exp(-0.0015 * event.deltaY * (event.deltaMode ? LINE_PX : 1)));
      changed();
    },
    { passive: false },
  );
  canvas.addEventListener("keydown", (event) => {
    const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key] ?? [0, 0];
    const factor = { "+": 1.1, "=": 1.1, "-": 1 / 1.1 }[event.key];
    if (!dx && !dy && !factor) return;
    event.preventDefault();
    if (factor) orbit.zoom(factor);
    move(dx * KEY_PX, dy * KEY_PX, event.shiftKey);
  });
}

/** The middle of one or two places, and how far they are apart. */
function span([[x, y], other]) {
  if (!other) return { x, y, width: 0 };
  return { x: (x + other[0]) / 2, y: (y + other[1]) / 2, width: Math.hypot(x - other[0], y - other[1]) };
}
