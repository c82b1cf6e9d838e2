// Which of two painters draws the cloud.

import { GraphicsPainter } from "/cloud/graphics.js";
import { ProcessorPainter } from "/cloud/processor.js";
import { hasGraphics } from "/cloud/webgl.js";

const BACKGROUND = [0.06, 0.06, 0.06];

/** The painter for a canvas. Software that stands in for a graphics processor takes longer than the processor by itself. */
export function painterOf(canvas) {
  const context = hasGraphics() ? null : canvas.getContext("2d", { alpha: false }); // Null where WebGL has drawn before.
  if (context) return new ProcessorPainter(context, BACKGROUND);
  return new GraphicsPainter(canvas.getContext("webgl2", { alpha: false, antialias: false }), BACKGROUND);
}
