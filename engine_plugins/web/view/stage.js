// Draws heads side by side in one canvas: the reference head with three.js, each in a panel of its own.
//
//   const stage = await Stage.open(canvas, "high");
//   const actor = stage.add("npc");
//   actor.set(values, channels);                    // a frame by channel names
//   stage.draw();                                   // all of them

import {
  BufferAttribute, BufferGeometry, DepthTexture, DynamicDrawUsage, LessEqualCompare, LinearFilter, LinearMipmapLinearFilter, LinearMipmapNearestFilter,
  Matrix3, Matrix4, Mesh, OrthographicCamera, PerspectiveCamera, RepeatWrapping, Scene, Sphere, SRGBColorSpace, Texture,
  UnsignedIntType, Vector3, WebGLRenderer, WebGLRenderTarget,
} from "../three/three.js";
import { HeadMesh, headRotation } from "./head_mesh.js";
import { backdropMaterial, depthMaterial, KEY, surfaceMaterial } from "./shading.js";

// Where the camera stands for a portrait, metres from the head joint.
const TARGET = new Vector3(0, 0.012, 0.02);
const DISTANCE = 1, HEIGHT = 0.018, FIELD = 0.3; // radians, of the smaller side
const NARROW = 0.72; // panels narrower than that, width by height, see more above and below the head
const SCENE_RADIUS = 0.24; // metres round the head that cast shadows
const MOST_TURN = 1.2, LEAST_ZOOM = 0.7, MOST_ZOOM = 3;
const SHIRTS = [[1, 1, 1], [1.9, 0.75, 0.5], [0.75, 1.35, 0.75], [1.5, 1.2, 1]]; // tints
export const ANGLES = ["headYaw", "headPitch", "headRoll"];

// pixels: at most so many of a panel's height; shadow: side of the shadow map; looks, reach: of its soft edge.
export const QUALITIES = {
  high: { name: "high", antialias: true, ratio: 2, pixels: 2160, shadow: 1024, looks: 16, reach: 0.011, highlights: true, fine: true },
  medium: { name: "medium", antialias: true, ratio: 1, pixels: 720, shadow: 512, looks: 6, reach: 0.008, highlights: true, fine: false },
  low: { name: "low", antialias: false, ratio: 1, pixels: 300, shadow: 0, looks: 0, reach: 0, highlights: false, fine: false,
    without: ["hair1", "hair2", "hair4"] },
};

async function textures(mesh, quality) {
  const made = new Map();
  const indices = mesh.surfaces.flatMap(({ material: { pbrMetallicRoughness: surface } }) => [
    [surface.baseColorTexture?.index, SRGBColorSpace], [surface.metallicRoughnessTexture?.index, ""]]);
  await Promise.all(indices.filter(([index]) => index !== undefined).map(async ([index, space]) => {
    if (made.has(index)) return;
    made.set(index, null);
    const { bytes, type } = mesh.images(index);
    const options = { colorSpaceConversion: "none", premultiplyAlpha: "none" };
    const texture = new Texture(await createImageBitmap(new Blob([bytes], { type }), options));
    Object.assign(texture, { colorSpace: space, flipY: false, wrapS: RepeatWrapping, wrapT: RepeatWrapping,
      minFilter: quality.antialias ? LinearMipmapLinearFilter : LinearMipmapNearestFilter, anisotropy: quality.antialias ? 4 : 1, needsUpdate: true });
    made.set(index, texture);
  }));
  return (reference) => made.get(reference?.index) ?? null;
}

export class Stage {
  // Throws an Error in words for people where the machine or the head file does not do.
  static async open(canvas, quality = "high", headUrl = "/head.glb") {
    const response = await fetch(headUrl);
    if (!response.ok) throw new Error(`the head ${headUrl} cannot be loaded: HTTP ${response.status}`);
    const mesh = new HeadMesh(await response.arrayBuffer());
    return new Stage(canvas, QUALITIES[quality], mesh, await textures(mesh, QUALITIES[quality]));
  }

  constructor(canvas, quality, mesh, textureOf) {
    this.canvas = canvas;
    this.mesh = mesh;
    this.quality = quality;
    this.actors = new Map();
    this.#textureOf = textureOf;
    try {
      this.renderer = new WebGLRenderer({ canvas, antialias: quality.antialias, alpha: false, powerPreference: "high-performance" });
    } catch {
      throw new Error("this browser has no WebGL 2: turn hardware acceleration on, or take another browser");
    }
    this.renderer.autoClear = false;
    const triangle = new BufferGeometry();
    triangle.setAttribute("position", new BufferAttribute(Float32Array.of(-1, -1, 0, 3, -1, 0, -1, 3, 0), 3));
    this.#backdrop = Object.assign(new Mesh(triangle, backdropMaterial()), { frustumCulled: false });
    this.#wall.add(this.#backdrop);
  }

  #wall = new Scene(); #backdrop;
  #textureOf; #size = ""; #pixel = new Uint8Array(4);

  // Whether the browser draws without a graphics card.
  static drawsInSoftware() {
    const gl = document.createElement("canvas").getContext("webgl2"), names = gl?.getExtension("WEBGL_debug_renderer_info");
    const card = gl ? String(gl.getParameter(names ? names.UNMASKED_RENDERER_WEBGL : gl.RENDERER)) : "";
    gl?.getExtension("WEBGL_lose_context")?.loseContext();
    return /swiftshader|llvmpipe|software|basic render/i.test(card);
  }

  add(name) {
    const actor = new Actor(name, this.mesh, this.#textureOf, this.quality, SHIRTS[this.actors.size % SHIRTS.length]);
    this.actors.set(name, actor);
    return actor;
  }

  // The next lower quality; what was set stays.
  lower() {
    const names = Object.keys(QUALITIES), next = names[names.indexOf(this.quality.name) + 1];
    if (!next) return;
    this.quality = { ...QUALITIES[next], antialias: this.quality.antialias };
    for (const actor of this.actors.values()) actor.build(this.#textureOf, this.quality);
  }

  // Where each head is drawn: [actor, left, bottom, width, height] in pixels of the canvas' own, from below.
  panels() {
    const { width, height } = this.canvas, n = this.actors.size || 1;
    const room = (columns) => Math.min(width / columns, 0.9 * (height / Math.ceil(n / columns))); // for a head
    const columns = Array.from({ length: n }, (_, i) => i + 1).reduce((best, some) => (room(some) > room(best) ? some : best));
    const rows = Math.ceil(n / columns);
    return [...this.actors.values()].map((actor, i) => {
      const w = Math.floor(width / columns), h = Math.floor(height / rows);
      return [actor, (i % columns) * w, height - (Math.floor(i / columns) + 1) * h, w, h];
    });
  }

  #fit() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const ratio = Math.min(devicePixelRatio, this.quality.ratio, this.quality.pixels / Math.max(height, 1));
    const size = `${width}x${height}x${ratio}`;
    if (size === this.#size || !width || !height) return;
    this.#size = size;
    this.renderer.setPixelRatio(1);
    this.renderer.setSize(Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio)), false);
  }

  // Waits until the picture is there, for who wants to know when it is: browsers draw behind the script's back.
  finish() {
    const gl = this.renderer.getContext();
    gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, this.#pixel);
  }

  draw() {
    this.#fit();
    const { renderer } = this;
    for (const actor of this.actors.values()) actor.prepare(renderer);
    renderer.setRenderTarget(null);
    renderer.setScissorTest(false);
    renderer.clear();
    renderer.setScissorTest(true);
    for (const [actor, left, bottom, width, height] of this.panels()) {
      renderer.setViewport(left, bottom, width, height);
      renderer.setScissor(left, bottom, width, height);
      this.#backdrop.material.uniforms.aspect.value = width / height;
      renderer.render(this.#wall, actor.camera);
      actor.draw(renderer, width / height);
    }
  }
}

// One head: its pose, its camera.
export class Actor {
  constructor(name, mesh, textureOf, quality, tint) {
    this.name = name;
    this.turn = this.lift = 0; // of the camera round the head, radians
    this.zoom = 1;
    this.#mesh = mesh;
    this.#posed = mesh.newPose();
    this.camera = new PerspectiveCamera(17, 1, 0.1, 3);
    this.#shared = { eye: { value: this.camera.position }, headTurn: { value: new Matrix3() }, shadowMatrix: { value: shadowMatrix() }, shadowMap: { value: null } };
    this.#tint = tint;
    this.build(textureOf, quality);
    this.set([], []);
  }

  #mesh; #posed; #shared; #scene; #shadowScene = null; #shadowTarget = null; #geometry = null; #materials = []; #tint;
  #weights = new Float32Array(52); #angles = [0, 0, 0]; #changed = true; #shapeAt = [];

  // Makes all that is drawn, for a quality; again for another.
  build(textureOf, quality) {
    this.#dispose();
    const { surfaces, positions, uvs, triangles } = this.#mesh, geometry = new BufferGeometry();
    for (const [name, array] of [["position", this.#posed.positions], ["normal", this.#posed.normals]]) {
      geometry.setAttribute(name, new BufferAttribute(array, 3).setUsage(DynamicDrawUsage));
    }
    geometry.setAttribute("rest", new BufferAttribute(positions, 3));
    geometry.setAttribute("uv", new BufferAttribute(uvs, 2));
    geometry.setIndex(new BufferAttribute(triangles, 1));
    surfaces.forEach(({ name, first, count }, i) => { if (!quality.without?.includes(name)) geometry.addGroup(first, count, i); });
    geometry.boundingSphere = new Sphere(new Vector3(), 1);
    this.#geometry = geometry;
    if (quality.shadow) this.#buildShadow(quality.shadow);
    this.#materials = surfaces.map((surface) => {
      const { pbrMetallicRoughness: maps } = surface.material;
      const found = { colour: textureOf(maps.baseColorTexture), surface: textureOf(maps.metallicRoughnessTexture) };
      return surfaceMaterial(surface, this.#shared, found, quality, this.#tint);
    });
    this.#scene = new Scene();
    this.#scene.add(Object.assign(new Mesh(geometry, this.#materials), { frustumCulled: false }));
    this.#changed = true;
  }

  #buildShadow(side) {
    const target = this.#shadowTarget = new WebGLRenderTarget(side, side, { depthTexture: new DepthTexture(side, side, UnsignedIntType) });
    Object.assign(target.depthTexture, { compareFunction: LessEqualCompare, minFilter: LinearFilter, magFilter: LinearFilter });
    this.#shared.shadowMap.value = target.depthTexture;
    const caster = new BufferGeometry(), opaque = this.#mesh.surfaces.filter(({ material }) => !material.alphaCutoff);
    caster.setAttribute("position", this.#geometry.getAttribute("position"));
    caster.setIndex(new BufferAttribute(Uint16Array.from(opaque.flatMap(({ first, count }) =>
      [...this.#mesh.triangles.subarray(first, first + count)])), 1));
    caster.boundingSphere = new Sphere(new Vector3(), 1);
    this.#shadowScene = new Scene();
    this.#shadowScene.add(Object.assign(new Mesh(caster, depthMaterial(this.#shared)), { frustumCulled: false }));
  }

  // The face: values of channels by name; what is not named is neutral.
  set(values, channels) {
    if (this.#shapeAt.channels !== channels) {
      this.#shapeAt = { channels, shapes: this.#mesh.shapes.map((name) => channels.indexOf(name)),
        angles: ANGLES.map((name) => channels.indexOf(name)) };
    }
    this.#shapeAt.shapes.forEach((at, shape) => { this.#weights[shape] = values[at] ?? 0; });
    this.#shapeAt.angles.forEach((at, angle) => { this.#angles[angle] = values[at] ?? 0; });
    this.#changed = true;
  }

  // Poses the head and draws its shadow map.
  prepare(renderer) {
    if (!this.#changed) return;
    this.#changed = false;
    this.#mesh.pose(this.#weights, this.#angles, this.#posed);
    this.#shared.headTurn.value.set(...headRotation(...this.#angles));
    for (const name of ["position", "normal"]) this.#geometry.getAttribute(name).needsUpdate = true;
    if (this.#shadowScene === null) return;
    renderer.setScissorTest(false);
    renderer.setRenderTarget(this.#shadowTarget);
    renderer.clear();
    renderer.render(this.#shadowScene, this.camera);
  }

  draw(renderer, aspect) {
    const camera = this.camera;
    camera.aspect = aspect;
    camera.fov = (360 / Math.PI) * Math.atan(Math.tan(FIELD / 2) * Math.max(1, NARROW / aspect) / this.zoom);
    camera.updateProjectionMatrix();
    const flat = DISTANCE * Math.cos(this.lift);
    camera.position.set(TARGET.x + Math.sin(this.turn) * flat, TARGET.y + HEIGHT + DISTANCE * Math.sin(this.lift),
      TARGET.z + Math.cos(this.turn) * flat);
    camera.lookAt(TARGET);
    renderer.render(this.#scene, camera);
  }

  // Turns the camera; both in radians.
  look(turn, lift) {
    this.turn = Math.min(Math.max(this.turn + turn, -MOST_TURN), MOST_TURN);
    this.lift = Math.min(Math.max(this.lift + lift, -0.5), 0.5);
  }

  nearer(factor) {
    this.zoom = Math.min(Math.max(this.zoom * factor, LEAST_ZOOM), MOST_ZOOM);
  }

  front() {
    this.turn = this.lift = 0;
    this.zoom = 1;
  }

  #dispose() {
    this.#geometry?.dispose();
    this.#shadowTarget?.dispose();
    for (const material of this.#materials) material.dispose();
    this.#shadowScene = this.#shadowTarget = this.#shared.shadowMap.value = null;
  }
}

// From a place to the shadow map: x, y and depth in 0 to 1.
function shadowMatrix() {
  const camera = new OrthographicCamera(-SCENE_RADIUS, SCENE_RADIUS, SCENE_RADIUS, -SCENE_RADIUS, 0.01, 4 * SCENE_RADIUS);
  camera.position.copy(TARGET).addScaledVector(KEY, 2 * SCENE_RADIUS);
  camera.lookAt(TARGET);
  camera.updateMatrixWorld();
  const toUnit = new Matrix4().set(0.5, 0, 0, 0.5, 0, 0.5, 0, 0.5, 0, 0, 0.5, 0.5, 0, 0, 0, 1);
  return toUnit.multiply(camera.projectionMatrix).multiply(camera.matrixWorldInverse);
}
