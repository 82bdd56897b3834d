// Reads the head that `visavis head build --web` writes and poses it: shapes, then the joints, then normals.  No DOM.
//
//   const mesh = new HeadMesh(arrayBuffer), posed = mesh.newPose();
//   mesh.pose(weights, [yaw, pitch, roll], posed);       // (52,), radians; fills posed.positions and posed.normals
//
// All surfaces lie in one row of vertices; a surface is a range of triangles with a material.

const NECK_SHARE = 0.3; // of a turn of the head is the neck's
const WIDTHS = { SCALAR: 1, VEC2: 2, VEC3: 3, VEC4: 4, MAT4: 16 };
const ARRAYS = { 5120: Int8Array, 5121: Uint8Array, 5122: Int16Array, 5123: Uint16Array, 5126: Float32Array };
const LARGEST = { 5120: 127, 5121: 255, 5122: 32767, 5123: 65535 };
const MOST_ROWS = 1 << 18; // of an accessor

export class HeadFileError extends Error {}

// The parts of a glTF file; accessors as arrays.
class Glb {
  constructor(buffer) {
    const view = new DataView(buffer);
    if (buffer.byteLength < 28 || view.getUint32(0, true) !== 0x46546c67 || view.getUint32(8, true) !== buffer.byteLength) {
      throw new HeadFileError(`head file of ${buffer.byteLength} bytes is no .glb; expected one of \`visavis head build\``);
    }
    const length = view.getUint32(12, true);
    this.json = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 20, length)));
    this.bytes = new Uint8Array(buffer, 28 + length);
  }

  bytesOf(view) {
    const { byteOffset = 0, byteLength } = this.json.bufferViews[view];
    return this.bytes.subarray(byteOffset, byteOffset + byteLength);
  }

  // Values (count * width) of an accessor; normalised integers as floats.
  values(index) {
    const { componentType, type, count, bufferView, sparse, normalized } = this.json.accessors[index];
    const Kind = ARRAYS[componentType], width = WIDTHS[type];
    if (!(count > 0 && count <= MOST_ROWS)) throw new HeadFileError(`head file: an accessor of ${count} rows`);
    if (sparse) throw new HeadFileError("head file: a sparse accessor that is no target");
    const stride = this.json.bufferViews[bufferView].byteStride ?? Kind.BYTES_PER_ELEMENT * width;
    const from = this.bytesOf(bufferView), view = new DataView(from.buffer, from.byteOffset, from.byteLength);
    const read = { 5120: "getInt8", 5121: "getUint8", 5122: "getInt16", 5123: "getUint16", 5126: "getFloat32" }[componentType];
    const values = new (normalized ? Float32Array : Kind)(count * width);
    for (let row = 0, i = 0; row < count; row++) {
      for (let column = 0; column < width; column++, i++) {
        const value = view[read](row * stride + column * Kind.BYTES_PER_ELEMENT, true);
        values[i] = normalized ? value / LARGEST[componentType] : value;
      }
    }
    return values;
  }

  // Rows and their offsets (n * 3) of a target, null where it moves nothing.
  target(index) {
    const { sparse, componentType } = this.json.accessors[index];
    if (!sparse) return null;
    const rows = this.bytesOf(sparse.indices.bufferView), values = this.bytesOf(sparse.values.bufferView);
    return {
      rows: new Uint16Array(rows.slice().buffer, 0, sparse.count),
      values: new ARRAYS[componentType](values.slice().buffer, 0, 3 * sparse.count),
    };
  }
}

export class HeadMesh {
  constructor(buffer) {
    const glb = new Glb(buffer), { json } = glb;
    const joints = json.skins[0].joints.map((node) => json.nodes[node].translation);
    this.jointPlaces = joints.reduce((places, [x, y, z]) => {
      const [a, b, c] = places.at(-1) ?? [0, 0, 0];
      return [...places, [a + x, b + y, c + z]];
    }, []);
    this.images = (texture) => {
      const { bufferView, mimeType } = json.images[json.textures[texture].source];
      return { bytes: glb.bytesOf(bufferView), type: mimeType };
    };
    this.shapes = json.meshes[0].extras.targetNames; // the 52, in our order
    const scale = glb.values(json.skins[0].inverseBindMatrices)[0]; // metres of a mesh unit
    this.surfaces = []; // {name, material, first, count} of triangle corners
    const whole = { positions: [], uvs: [], joints: [], triangles: [] };
    this.deltas = this.shapes.map(() => ({ rows: [], values: [] }));
    for (const mesh of json.meshes) {
      for (const primitive of mesh.primitives) this.#add(glb, primitive, scale, whole);
    }
    this.positions = Float32Array.from(whole.positions);
    this.uvs = Float32Array.from(whole.uvs);
    this.triangles = Uint16Array.from(whole.triangles);
    this.deltas = this.deltas.map(({ rows, values }) => ({ rows: Uint16Array.from(rows), values: Float32Array.from(values) }));
    this.#joints = Float32Array.from(whole.joints); // (V * 3) weights of bust, neck, head
    this.#weld();
  }

  #joints; #points; #nPoints; #sums; #moved;

  get nVertices() { return this.positions.length / 3; }

  #add(glb, { attributes, indices, material, targets = [] }, scale, whole) {
    const first = whole.positions.length / 3, positions = glb.values(attributes.POSITION), n = positions.length / 3;
    const index = glb.values(attributes.JOINTS_0), weight = glb.values(attributes.WEIGHTS_0);
    const uvs = "TEXCOORD_0" in attributes ? glb.values(attributes.TEXCOORD_0) : new Float32Array(2 * n);
    const corners = glb.values(indices), joints = new Float32Array(3 * n);
    for (let i = 0; i < 4 * n; i++) joints[3 * (i >> 2) + index[i]] += weight[i];
    for (const corner of corners) if (corner >= n) throw new HeadFileError(`head file: corner ${corner} of ${n} vertices`);
    this.surfaces.push({
      name: glb.json.materials[material].name, material: glb.json.materials[material],
      first: whole.triangles.length, count: corners.length, firstVertex: first, nVertices: n,
    });
    for (const value of positions) whole.positions.push(value * scale);
    for (const value of uvs) whole.uvs.push(value);
    for (const value of joints) whole.joints.push(value);
    for (const corner of corners) whole.triangles.push(corner + first);
    targets.forEach(({ POSITION }, shape) => {
      const target = glb.target(POSITION);
      for (const row of target?.rows ?? []) this.deltas[shape].rows.push(row + first);
      for (const value of target?.values ?? []) this.deltas[shape].values.push(value * scale);
    });
  }

  // Vertices of a surface that are one point of it share a normal.
  #weld() {
    this.#points = new Uint16Array(this.nVertices);
    this.#nPoints = 0;
    for (const { firstVertex, nVertices } of this.surfaces) {
      const known = new Map();
      for (let v = firstVertex; v < firstVertex + nVertices; v++) {
        const key = this.positions.subarray(3 * v, 3 * v + 3).join();
        if (!known.has(key)) known.set(key, this.#nPoints++);
        this.#points[v] = known.get(key);
      }
    }
    this.#sums = new Float32Array(3 * this.#nPoints);
    this.#moved = new Float32Array(this.positions.length);
  }

  newPose() {
    return { positions: new Float32Array(this.positions.length), normals: new Float32Array(this.positions.length) };
  }

  pose(weights, angles, posed) {
    this.#shape(weights);
    this.#turn(angles, posed.positions);
    this.#normals(posed);
  }

  #shape(weights) {
    this.#moved.set(this.positions);
    for (let shape = 0; shape < this.deltas.length; shape++) {
      const share = Math.min(Math.max(weights[shape], 0), 1), { rows, values } = this.deltas[shape];
      if (!(share > 0)) continue;
      for (let i = 0; i < rows.length; i++) {
        const at = 3 * rows[i];
        this.#moved[at] += share * values[3 * i];
        this.#moved[at + 1] += share * values[3 * i + 1];
        this.#moved[at + 2] += share * values[3 * i + 2];
      }
    }
  }

  #turn(angles, out) {
    const turns = jointTurns(angles, this.jointPlaces), moved = this.#moved, weights = this.#joints;
    for (let v = 0; v < moved.length; v += 3) {
      const x = moved[v], y = moved[v + 1], z = moved[v + 2];
      let a = 0, b = 0, c = 0;
      for (let joint = 0; joint < 3; joint++) {
        const w = weights[v + joint], t = turns[joint];
        if (w === 0) continue;
        a += w * (t[0] * x + t[1] * y + t[2] * z + t[9]);
        b += w * (t[3] * x + t[4] * y + t[5] * z + t[10]);
        c += w * (t[6] * x + t[7] * y + t[8] * z + t[11]);
      }
      out[v] = a;
      out[v + 1] = b;
      out[v + 2] = c;
    }
  }

  // The faces round each point, by area.
  #normals({ positions: p, normals }) {
    const { triangles } = this, points = this.#points, sums = this.#sums;
    sums.fill(0);
    for (let i = 0; i < triangles.length; i += 3) {
      const a = 3 * triangles[i], b = 3 * triangles[i + 1], c = 3 * triangles[i + 2];
      const ux = p[b] - p[a], uy = p[b + 1] - p[a + 1], uz = p[b + 2] - p[a + 2];
      const vx = p[c] - p[a], vy = p[c + 1] - p[a + 1], vz = p[c + 2] - p[a + 2];
      const x = uy * vz - uz * vy, y = uz * vx - ux * vz, z = ux * vy - uy * vx;
      for (let corner = 0; corner < 3; corner++) {
        const at = 3 * points[triangles[i + corner]];
        sums[at] += x;
        sums[at + 1] += y;
        sums[at + 2] += z;
      }
    }
    for (let v = 0; v < points.length; v++) {
      const at = 3 * points[v], x = sums[at], y = sums[at + 1], z = sums[at + 2];
      const scale = 1 / Math.max(Math.sqrt(x * x + y * y + z * z), 1e-20);
      normals[3 * v] = x * scale;
      normals[3 * v + 1] = y * scale;
      normals[3 * v + 2] = z * scale;
    }
  }
}

// For bust, neck and head: rotation (9, by rows) and shift (3) that take a place at rest to where it is now.
export function jointTurns([yaw, pitch, roll], places) {
  const head = headRotation(yaw, pitch, roll), neck = power(head, NECK_SHARE);
  const arm = places[2].map((value, axis) => value - places[1][axis]);
  const at = times(neck, arm).map((value, axis) => value + places[1][axis]);
  const whereTo = [places[0], places[1], at];
  return [[1, 0, 0, 0, 1, 0, 0, 0, 1], neck, head].map((turn, joint) => {
    const turned = times(turn, places[joint]);
    return [...turn, ...whereTo[joint].map((value, axis) => value - turned[axis])];
  });
}

// Ry(yaw) Rx(pitch) Rz(roll), by rows: yaw turns to the person's left, pitch lowers the chin.
export function headRotation(yaw, pitch, roll) {
  const [cy, cx, cz] = [yaw, pitch, roll].map(Math.cos), [sy, sx, sz] = [yaw, pitch, roll].map(Math.sin);
  return [
    cy * cz + sy * sx * sz, -cy * sz + sy * sx * cz, sy * cx,
    cx * sz, cx * cz, -sx,
    -sy * cz + cy * sx * sz, sy * sz + cy * sx * cz, cy * cx,
  ];
}

// A share of a rotation of less than half a turn, about the same axis.
export function power(r, share) {
  const axis = [(r[7] - r[5]) / 2, (r[2] - r[6]) / 2, (r[3] - r[1]) / 2], sine = Math.hypot(...axis);
  if (sine < 1e-7) return [1, 0, 0, 0, 1, 0, 0, 0, 1];
  const angle = Math.atan2(sine, (r[0] + r[4] + r[8] - 1) / 2) * share, [x, y, z] = axis.map((value) => value / sine);
  const s = Math.sin(angle), c = 1 - Math.cos(angle);
  return [
    1 - c * (y * y + z * z), c * x * y - s * z, c * x * z + s * y,
    c * x * y + s * z, 1 - c * (x * x + z * z), c * y * z - s * x,
    c * x * z - s * y, c * y * z + s * x, 1 - c * (x * x + y * y),
  ];
}

const times = (m, [x, y, z]) => [0, 3, 6].map((row) => m[row] * x + m[row + 1] * y + m[row + 2] * z);
