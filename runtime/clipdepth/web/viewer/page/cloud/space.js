// Where pixels of depth lie: metres from the camera, x to the right, y down, z ahead.

/** Why a frame has no place in space, in a line for people; null where it has. */
export function obstacle({ depth, pinhole }) {
  if (depth.kind !== "metric") {
    return "This model's depth is relative and has no metres, so there is no cloud. Points measured for clipdepth calibrate give it metres.";
  }
  if (pinhole) return null;
  return "Nobody knows this camera's focal length, so there is no cloud. Give clipdepth run --fov, --focal-px or --calibration.";
}

/** The rays of a frame's depth: x/z of each column, y/z of each row. See `sample` in clipdepth/web/viewer/messages.py. */
export function raysOf({ depth, pinhole }) {
  const { width, height, fx, fy, cx, cy } = pinhole;
  return {
    across: centres(width, depth.width).map((x) => (x - cx) / fx),
    down: centres(height, depth.height).map((y) => (y - cy) / fy),
  };
}

/** The place of a cell of depth, [x, y, z]; null where depth is unknown. */
export function placeOf(depth, { across, down }, cell) {
  const z = depth[cell] / 1000;
  const column = cell % across.length;
  return z ? [across[column] * z, down[(cell - column) / across.length] * z, z] : null;
}

/** What holds all but the outermost 2% of the cells on each side: {left, right, bottom, far}; null where nothing is known. */
export function boundsOf(depth, rays) {
  const columns = rays.across.length;
  const known = Uint32Array.from(depth.keys()).filter((cell) => depth[cell]);
  if (!known.length) return null;
  const along = (value) => Float32Array.from(known, value).sort();
  const x = along((cell) => (rays.across[cell % columns] * depth[cell]) / 1000);
  const y = along((cell) => (rays.down[Math.floor(cell / columns)] * depth[cell]) / 1000);
  const z = along((cell) => depth[cell] / 1000);
  const at = (sorted, share) => sorted[Math.round((sorted.length - 1) * share)];
  return { left: at(x, 0.02), right: at(x, 0.98), bottom: at(y, 0.98), far: at(z, 0.98) };
}

/** The pixel in the middle of each of `cells` equal parts of a row. */
function centres(length, cells) {
  return Array.from({ length: cells }, (_, cell) => Math.floor(((cell + 0.5) * length) / cells));
}
