// Draws the cloud by the graphics processor: depth and colours are textures, from which it places one point a pixel.

import { Texture, makeProgram } from "/cloud/webgl.js";

const OVERLAP = 1.2; // How much wider than the way to the next one a point is, so that surfaces are closed.
const EDGE = 0.05; // A next one that is so much nearer or farther lies on another surface.
const POINT = `
precision highp usampler2D;
uniform usampler2D depth;   // Millimetres, 0 for unknown.
uniform sampler2D colours;
uniform vec2 cells;         // The size of depth,
uniform vec2 network;       // that of the network's own,
uniform vec4 pinhole;       // and its pinhole: 1/fx, 1/fy, cx, cy.
uniform mat4 view;
uniform vec2 size;          // Of the drawing, pixels.
out vec3 colour;

vec2 pixel(vec2 cell) { return floor((cell + 0.5) * network / cells); }

vec3 place(vec2 cell, float z) { return vec3((pixel(cell) - pinhole.zw) * pinhole.xy * z, z); }

float metres(vec2 cell) { return float(texelFetch(depth, ivec2(cell), 0).r) * 0.001; }

// How far it is to the next cell, in pixels of the drawing.
float way(vec2 next, vec3 here, vec2 drawn) {
  float z = metres(min(next, cells - 1.0));
  vec4 there = view * vec4(place(next, abs(z - here.z) > ${EDGE} * here.z ? here.z : z), 1.0);
  vec2 off = abs(there.xy / there.w - drawn) * size;
  return max(off.x, off.y) * 0.5;
}

void main() {
  float row = floor((float(gl_VertexID) + 0.5) / cells.x);
  vec2 cell = vec2(float(gl_VertexID) - row * cells.x, row);
  vec3 here = place(cell, metres(cell));
  gl_Position = view * vec4(here, 1.0);
  vec2 drawn = gl_Position.xy / gl_Position.w;
  float farthest = max(way(cell + vec2(1.0, 0.0), here, drawn), way(cell + vec2(0.0, 1.0), here, drawn));
  gl_PointSize = clamp(${OVERLAP} * farthest, 1.0, 64.0);
  if (here.z == 0.0) gl_Position = vec4(0.0, 0.0, -2.0, 1.0);  // Nowhere.
  colour = texelFetch(colours, ivec2(cell), 0).rgb;
}`;
const POINT_PAINTED = `
in vec3 colour;
out vec4 painted;
void main() { painted = vec4(colour, 1.0); }`;
const LINE = `
uniform mat4 view;
layout(location = 0) in vec3 place;
void main() { gl_Position = view * vec4(place, 1.0); }`;
const LINE_PAINTED = `
uniform vec3 colour;
out vec4 painted;
void main() { painted = vec4(colour, 1.0); }`;

export class GraphicsPainter {
  /** Pixels for each of CSS, at most: more would cost much and show little. */
  sharpness = 2;

  /** `background` is a colour [red, green, blue] from 0 to 1, as are all here. */
  constructor(gl, background) {
    Object.assign(this, { gl, background, strokes: [], scene: null });
    this.points = makeProgram(gl, POINT, POINT_PAINTED);
    this.depth = new Texture(gl, 0, { inside: gl.R16UI, format: gl.RED_INTEGER, type: gl.UNSIGNED_SHORT });
    this.colours = new Texture(gl, 1, { inside: gl.RGBA8, format: gl.RGBA, type: gl.UNSIGNED_BYTE });
    this.lines = makeProgram(gl, LINE, LINE_PAINTED);
    this.places = gl.createVertexArray();
    this.buffer = gl.createBuffer();
    gl.bindVertexArray(this.places);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffer);
    gl.enableVertexAttribArray(0);
    gl.vertexAttribPointer(0, 3, gl.FLOAT, false, 0, 0);
    gl.bindVertexArray(null);
    gl.enable(gl.DEPTH_TEST);
    gl.clearColor(...background, 1);
  }

  /** Take lines, [{ends, colour}] with six numbers for each line. */
  lay(strokes) {
    const { gl } = this;
    this.strokes = strokes;
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffer);
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array(strokes.flatMap(({ ends }) => ends)), gl.STATIC_DRAW);
  }

  /** Take the points, see `sceneOf`; null for none. */
  take(scene) {
    this.scene = scene;
    if (!scene) return;
    const [columns, rows] = [scene.rays.across.length, scene.rays.down.length];
    this.depth.fill(columns, rows, scene.depth);
    this.colours.fill(columns, rows, scene.colours);
  }

  /** Draw both as the orbit sees them, at its size. */
  paint(orbit) {
    const { gl } = this;
    gl.viewport(0, 0, orbit.width, orbit.height);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
    if (!this.scene) return;
    this.paintLines(orbit);
    this.paintPoints(orbit);
  }

  paintLines(orbit) {
    const { gl } = this;
    const { program, at } = this.lines;
    gl.useProgram(program);
    gl.bindVertexArray(this.places);
    gl.uniformMatrix4fv(at.view, false, orbit.matrix);
    let first = 0;
    for (const { ends, colour } of this.strokes) {
      gl.uniform3f(at.colour, ...colour);
      gl.drawArrays(gl.LINES, first, ends.length / 3);
      first += ends.length / 3;
    }
    gl.bindVertexArray(null);
  }

  paintPoints(orbit) {
    const { gl } = this;
    const { pinhole } = this.scene;
    const { program, at } = this.points;
    gl.useProgram(program);
    this.depth.bind();
    this.colours.bind();
    gl.uniform1i(at.depth, this.depth.unit);
    gl.uniform1i(at.colours, this.colours.unit);
    gl.uniform2f(at.cells, this.depth.width, this.depth.height);
    gl.uniform4f(at.pinhole, 1 / pinhole.fx, 1 / pinhole.fy, pinhole.cx, pinhole.cy);
    gl.uniform2f(at.network, pinhole.width, pinhole.height);
    gl.uniformMatrix4fv(at.view, false, orbit.matrix);
    gl.uniform2f(at.size, orbit.width, orbit.height);
    gl.drawArrays(gl.POINTS, 0, this.depth.width * this.depth.height);
  }
}
