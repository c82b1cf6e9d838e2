// A line over the newest values, from zero up.

const KEPT = 120;

export class Plot {
  constructor(canvas, unit) {
    this.canvas = canvas;
    this.unit = unit;
    this.values = [];
  }

  add(value) {
    this.values.push(value);
    if (this.values.length > KEPT) this.values.shift();
    this.draw();
  }

  clear() {
    this.values = [];
    const { context, width, height } = sharp(this.canvas);
    context.clearRect(0, 0, width, height);
  }

  draw() {
    const { context, width, height } = sharp(this.canvas);
    const top = roundUp(Math.max(...this.values, 1e-9));
    const y = (value) => height - 2 - (value / top) * (height - 16);
    context.clearRect(0, 0, width, height);
    context.fillStyle = context.strokeStyle = "#3a3a3a";
    context.fillRect(0, height - 1, width, 1);
    context.fillRect(0, Math.round(y(top)), width, 1);
    context.fillStyle = "#a8a8a8";
    context.font = "11px system-ui, sans-serif";
    context.fillText(`${top} ${this.unit}`, 0, 10);
    context.strokeStyle = "#58c7f3";
    context.lineWidth = 1.5;
    context.beginPath();
    this.values.forEach((value, i) => context.lineTo((i / (KEPT - 1)) * width, y(value)));
    context.stroke();
  }
}

/** A canvas' context in CSS pixels, with as many device pixels as the screen has. */
export function sharp(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const { clientWidth: width, clientHeight: height } = canvas;
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return { context, width, height };
}

function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  const factor = [1, 2, 5, 10].find((each) => each * power >= value * 0.999);
  return Number((factor * power).toPrecision(3));
}
