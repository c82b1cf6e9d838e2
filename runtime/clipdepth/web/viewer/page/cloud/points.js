// A frame's pixels as points: depth and picture are textures, and the graphics processor places one point a pixel.

import { Texture, makeProgram } from "/cloud/webgl.js";

const OVERLAP = 1.2; // How much wider than the way to the next one a point is, so that surfaces are closed.
const EDGE = 0.05; // A next one that is so much nearer or farther lies on another surface.
const VERTEX = `
precision highp usampler2D;
uniform usampler2D depth;   // Millimetres, 0 for unknown.
uniform sampler2D picture;
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
  colour = textureLod(picture, (pixel(cell) + 0.5) / network, 0.0).rgb;
}`;
const FRAGMENT = `
in vec3 colour;
out vec4 painted;
void main() { painted = vec4(colour, 1.0); }`;

export class Points {
  constructor(gl) {
    this.gl = gl;
    this.shader = makeProgram(gl, VERTEX, FRAGMENT);
    const whole = { inside: gl.R16UI, format: gl.RED_INTEGER, type: gl.UNSIGNED_SHORT, filter: gl.NEAREST };
    const colours = { inside: gl.RGBA8, format: gl.RGBA, type: gl.UNSIGNED_BYTE, filter: gl.LINEAR };
    this.depth = new Texture(gl, 0, whole);
    this.picture = new Texture(gl, 1, colours);
    this.pinhole = null;
  }

  /** Take a frame, as `decode` gives it; null for none. */
  take(shot) {
    this.pinhole = shot?.header.pinhole ?? null;
    if (!this.pinhole) return;
    const { width, height } = shot.header.depth;
    this.depth.fill(width, height, shot.depth);
    this.picture.fill(shot.picture.width, shot.picture.height, shot.picture);
  }

  draw(orbit) {
    if (!this.pinhole) return;
    const { gl, pinhole } = this;
    const { program, at } = this.shader;
    gl.useProgram(program);
    this.depth.bind();
    this.picture.bind();
    gl.uniform1i(at.depth, this.depth.unit);
    gl.uniform1i(at.picture, this.picture.unit);
    gl.uniform2f(at.cells, this.depth.width, this.depth.height);
    gl.uniform4f(at.pinhole, 1 / pinhole.fx, 1 / pinhole.fy, pinhole.cx, pinhole.cy);
    gl.uniform2f(at.network, pinhole.width, pinhole.height);
    gl.uniformMatrix4fv(at.view, false, orbit.matrix);
    gl.uniform2f(at.size, orbit.width, orbit.height);
    gl.drawArrays(gl.POINTS, 0, this.depth.width * this.depth.height);
  }
}
