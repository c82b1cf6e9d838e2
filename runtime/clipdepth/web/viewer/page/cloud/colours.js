// The picture's colours, one for each cell of depth.

export class Colours {
  constructor() {
    this.context = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  }

  /** The colours of a picture at a size, red, green, blue, alpha, row after row. */
  of(picture, width, height) {
    const { canvas } = this.context;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    this.context.drawImage(picture, 0, 0, width, height);
    return this.context.getImageData(0, 0, width, height).data;
  }
}
