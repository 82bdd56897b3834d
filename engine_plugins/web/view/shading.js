// How the head is lit: the portrait light of `visavis render` (csrc/picture/painter.cpp) as shaders.  Three lamps, a
// room with a bright ceiling and a soft window, light that goes through skin, wet eyes, soft shadows of the key lamp.

import { DoubleSide, FrontSide, GLSL3, ShaderMaterial, Vector3 } from "../three/three.js";

const unit = (x, y, z) => new Vector3(x, y, z).normalize();
export const KEY = unit(-0.62, 0.62, 0.95); // towards the key lamp, in the picture's upper left
const HAIR_SPECULAR = 0.02, SKIN_SPECULAR = 0.035; // reflectance straight on

const VERTEX = `
uniform mat4 shadowMatrix;
in vec3 rest;
out vec3 vPlace, vNormal, vRest, vShadow;
out vec2 vUv;
void main() {
  vPlace = position;
  vNormal = normal;
  vRest = rest;
  vUv = uv;
  vec4 shadow = shadowMatrix * vec4(position + normal * 0.0015, 1.0);
  vShadow = shadow.xyz;
  gl_Position = projectionMatrix * viewMatrix * vec4(position, 1.0);
}`;

const FILM = `
// The film curve of Narkowicz (2015), then sRGB.
vec3 developed(vec3 v) {
  v *= 0.80;
  v = clamp(v * (2.51 * v + 0.03) / (v * (2.43 * v + 0.59) + 0.14), 0.0, 1.0);
#ifdef PLAIN
  return sqrt(v);
#else
  return mix(12.92 * v, 1.055 * pow(v, vec3(1.0 / 2.4)) - 0.055, step(0.0031308, v));
#endif
}`;

const FRAGMENT = `
precision highp float;
uniform vec3 colour, eye;
uniform float roughness, specular, scattering, mirror, alphaCutoff, twoSided;
uniform mat3 headTurn;
uniform sampler2D colourMap, surfaceMap;
uniform highp sampler2DShadow shadowMap;
in vec3 vPlace, vNormal, vRest, vShadow;
in vec2 vUv;
out vec4 result;

const vec3 TOWARDS[3] = vec3[3](normalize(vec3(-0.62, 0.62, 0.95)), normalize(vec3(0.95, 0.10, 0.60)),
                                normalize(vec3(0.70, 0.55, -0.85)));
const vec3 LIGHT[3] = vec3[3](vec3(2.75, 2.55, 2.30), vec3(0.50, 0.56, 0.66), vec3(2.10, 2.25, 2.60));
const float SIZE[3] = float[3](0.16, 0.35, 0.25); // added to the roughness: a large lamp has soft highlights
const float PI = 3.14159265;

vec3 roomDiffuse(vec3 n) {
  return mix(vec3(0.20, 0.17, 0.155), vec3(0.50, 0.53, 0.58), 0.5 + 0.5 * n.y) * (0.85 + 0.15 * n.z);
}

// What a wet surface mirrors: walls, and a window before the face.
vec3 room(vec3 d) {
  vec3 wall = mix(vec3(0.16, 0.14, 0.13), vec3(0.50, 0.53, 0.58), 0.5 + 0.5 * d.y);
  vec3 middle = normalize(vec3(-0.42, 0.50, 0.80)), right = normalize(cross(vec3(0, 1, 0), middle));
  float across = abs(dot(d, right)), along = abs(dot(d, cross(middle, right)));
  float bars = 0.25 + 0.75 * smoothstep(0.012, 0.03, min(across, abs(along)));
  float window = dot(d, middle) > 0.0
    ? clamp((0.26 - across) * 14.0, 0.0, 1.0) * clamp((0.34 - along) * 14.0, 0.0, 1.0) * bars : 0.0;
  return wall + vec3(30.0, 30.0, 29.0) * window;
}

float grazing(float v) {
  float rest = clamp(1.0 - v, 0.0, 1.0), square = rest * rest;
  return square * square * rest;
}

// GGX highlight times the cosine of the lamp.
float highlight(vec3 n, vec3 v, vec3 l, float rough) {
  float nl = dot(n, l), nv = max(dot(n, v), 1e-3);
  if (nl <= 0.0) return 0.0;
  vec3 h = normalize(v + l);
  float nh = max(dot(n, h), 0.0), vh = max(dot(v, h), 0.0), a2 = rough * rough * rough * rough;
  float d = nh * nh * (a2 - 1.0) + 1.0, k = (rough + 1.0) * (rough + 1.0) / 8.0;
  return a2 / (PI * d * d) / (4.0 * (nl * (1.0 - k) + k) * (nv * (1.0 - k) + k))
    * (specular + (1.0 - specular) * grazing(vh)) * nl;
}

// Cosine that reaches round the edge, each colour its own way.
vec3 wrapped(float nl, vec3 reach) {
  vec3 v = clamp((nl + reach) / (1.0 + reach), 0.0, 1.0);
  return v * mix(vec3(1.0), 0.5 + 0.5 * v, step(1e-6, reach));
}

float grain(vec2 p) { return fract(52.9829189 * fract(dot(p, vec2(0.06711056, 0.00583715)))); }

// How much of the key lamp reaches this place: a disk of looks at the shadow map.
float lit(vec3 n) {
#ifdef SHADOW_LOOKS
  if (any(greaterThan(abs(vShadow - 0.5), vec3(0.5)))) return 1.0;
  float share = 0.0, turn = grain(gl_FragCoord.xy) * 2.0 * PI;
  for (int i = 0; i < SHADOW_LOOKS; i++) {
    float radius = sqrt((float(i) + 0.5) / float(SHADOW_LOOKS)), angle = float(i) * 2.39996 + turn;
    vec2 at = vShadow.xy + vec2(cos(angle), sin(angle)) * radius * SHADOW_REACH;
    share += texture(shadowMap, vec3(at, vShadow.z - 0.0018 - 0.004 * radius));
  }
  return share / float(SHADOW_LOOKS);
#else
  return 1.0;
#endif
}

#ifdef FINE
float chance(ivec3 cell) {
  uvec3 q = uvec3(cell) * uvec3(1597334677u, 3812015801u, 2798796415u);
  return float((q.x ^ q.y ^ q.z) * 1597334677u) / 4294967295.0;
}

float noise3(vec3 p) {
  ivec3 i = ivec3(floor(p)), step_ = ivec3(0, 1, 0);
  vec3 f = fract(p), u = f * f * (3.0 - 2.0 * f);
  vec4 near = vec4(chance(i), chance(i + step_.yxx), chance(i + step_.xyx), chance(i + step_.yyx));
  vec4 far = vec4(chance(i + step_.xxy), chance(i + step_.yxy), chance(i + step_.xyy), chance(i + step_.yyy));
  vec4 z = mix(near, far, u.z);
  vec2 y = mix(z.xz, z.yw, u.x);
  return mix(y.x, y.y, u.y);
}

// Pores: a fine unevenness that fades where a pixel is larger than it.
vec3 withPores(vec3 n) {
  float size = length(fwidth(vRest)), share = clamp(1.6 - size * 1400.0, 0.0, 1.0);
  if (share <= 0.0) return n;
  vec3 p = mat3(0.64, -0.60, 0.48, 0.77, 0.50, -0.40, 0.0, 0.62, 0.78) * vRest * 1500.0; // along no axis of the face
  float here = noise3(p);
  vec3 slope = vec3(noise3(p + vec3(0.4, 0, 0)), noise3(p + vec3(0, 0.4, 0)), noise3(p + vec3(0, 0, 0.4))) - here;
  return normalize(n - (slope - n * dot(slope, n)) * 0.28 * share);
}
#endif

${FILM}
// What lids and lips keep away from the eyeballs and from what is in the mouth, 0 to 1.
float covered(vec3 n) {
#ifdef EYES
  vec3 own = n * headTurn; // in the head's axes
  return 0.86 * (1.0 - 0.62 * smoothstep(0.02, 0.40, own.y)) * (1.0 - 0.30 * smoothstep(0.02, 0.45, -own.y))
    * (1.0 - 0.45 * smoothstep(0.35, 0.95, abs(own.x)));
#elif defined(MOUTH)
  return mix(0.08, 0.52, smoothstep(0.050, 0.092, vRest.z));
#else
  return 1.0;
#endif
}

void main() {
#ifdef MAPPED
  vec4 texel = texture(colourMap, vUv);
#else
  vec4 texel = vec4(1.0);
#endif
  float cover = 1.0;
#ifdef MASKED
  cover = clamp((texel.a - alphaCutoff) / max(fwidth(texel.a), 1e-4) + 0.5, 0.0, 1.0);
  if (cover < CUT) discard;
#endif
  vec3 towardsEye = normalize(eye - vPlace), n = normalize(vNormal);
  if (twoSided > 0.5 && dot(n, towardsEye) < 0.0) n = -n;
  vec3 base = colour * texel.rgb;
#ifdef PLAIN
  #ifdef ROUGH_MAPPED
  float around = texture(surfaceMap, vUv).r;
#else
  float around = covered(n);
#endif
#ifdef MOUTH
  around *= 0.5; // nothing casts a shadow on them here
#endif
  vec3 light = roomDiffuse(n) + LIGHT[0] * clamp(0.85 * dot(n, TOWARDS[0]) + 0.15, 0.0, 1.0)
    + LIGHT[1] * max(dot(n, TOWARDS[1]), 0.0) + LIGHT[2] * max(dot(n, TOWARDS[2]), 0.0);
  vec3 gloss = vec3(0.0);
#ifdef WET
  vec3 mirroredRoom = room(reflect(-towardsEye, n)) * (mirror * 0.04);
  gloss = mirroredRoom;
#endif
  result = vec4(developed(base * light * (around / PI * 1.35) + gloss), cover);
#else
#ifdef ROUGH_MAPPED
  vec3 maps = texture(surfaceMap, vUv).rgb;
#else
  vec3 maps = vec3(1.0);
#endif
#ifdef EYES
  // Light that the cornea gathers on the far side of the iris: below, as the lamps are above.
  float dark = 1.0 - smoothstep(0.06, 0.35, max(base.r, max(base.g, base.b)));
  base *= 1.0 + dark * (0.4 + 1.3 * smoothstep(0.08, -0.12, (n * headTurn).y));
#endif
  base *= covered(n);
  float open = maps.r, rough = clamp(roughness * maps.g, 0.05, 1.0);
#ifdef FINE
  if (scattering > 0.9) n = withPores(n);
#endif
  float keyShare = lit(n) * (0.35 + 0.65 * open);
  vec3 diffuse = roomDiffuse(n) * open, shine = vec3(0.0);
  for (int i = 0; i < 3; i++) {
    float share = i == 0 ? keyShare : clamp(1.2 * open, 0.0, 1.0), nl = dot(n, TOWARDS[i]);
    vec3 soft = vec3(share + 0.30 * scattering * (sqrt(share) - share), share, share); // red light goes deeper
    diffuse += LIGHT[i] * soft * wrapped(nl, vec3(0.30, 0.17, 0.10) * scattering);
#ifdef HIGHLIGHTS
    float size = SIZE[i] * (1.0 - 0.7 * mirror), r = min(1.0, sqrt(rough * rough + size * size));
    float bright = highlight(n, towardsEye, TOWARDS[i], r);
    if (scattering > 0.0) bright = 0.75 * bright + 0.25 * highlight(n, towardsEye, TOWARDS[i], min(1.0, r * 0.62));
    shine += LIGHT[i] * (bright * share);
#endif
  }
  float nv = clamp(dot(n, towardsEye), 0.0, 1.0), fresnel = specular + (1.0 - specular) * grazing(nv);
  vec3 mirrored = reflect(-towardsEye, n);
  shine += roomDiffuse(mirrored) * (fresnel * open * (1.0 - 0.8 * rough));
#ifdef WET
  shine += room(mirrored) * (mirror * fresnel);
#endif
#ifdef MOUTH
  shine *= covered(n);
#endif
  result = vec4(developed(base * diffuse / PI * 1.35 + shine), cover);
#endif
}`;

// What is behind a head: a soft light on a dark wall.  The canvas is opaque, as edges that cover a part of a pixel need.
const BACKDROP_VERTEX = `
out vec2 place;
void main() {
  place = position.xy;
  gl_Position = vec4(position.xy, 1.0, 1.0);
}`;
const BACKDROP_FRAGMENT = `
precision highp float;
uniform float aspect;
in vec2 place;
out vec4 result;
${FILM}
void main() {
  vec2 p = vec2(place.x * max(1.0, aspect), place.y - 0.16) * 0.5;
  vec3 wall = mix(vec3(0.075, 0.084, 0.098), vec3(0.012, 0.014, 0.018), smoothstep(0.0, 0.75, length(p * vec2(0.8, 1.0))));
  result = vec4(developed(wall), 1.0);
}`;

export function backdropMaterial() {
  return new ShaderMaterial({
    glslVersion: GLSL3, vertexShader: BACKDROP_VERTEX, fragmentShader: BACKDROP_FRAGMENT, depthTest: false, depthWrite: false,
    uniforms: { aspect: { value: 1 } },
  });
}

const DEPTH_VERTEX = `
uniform mat4 shadowMatrix;
void main() { gl_Position = vec4((shadowMatrix * vec4(position, 1.0)).xyz * 2.0 - 1.0, 1.0); }`;
const DEPTH_FRAGMENT = "precision highp float; out vec4 none; void main() { none = vec4(1.0); }";

// What draws a surface of the head.  `shared`: uniforms of all of them; `maps`: {colour, surface} textures.
// `tint`: of the shirt, to tell heads apart.
export function surfaceMaterial({ name, material }, shared, maps, quality, tint) {
  const { extras = {}, alphaCutoff = 0, doubleSided = false, pbrMetallicRoughness: surface } = material;
  const mirror = extras.mirror ?? 0, defines = {};
  if (quality.looks) Object.assign(defines, { SHADOW_LOOKS: quality.looks, SHADOW_REACH: quality.reach.toFixed(5) });
  if (quality.highlights) defines.HIGHLIGHTS = 1;
  else defines.PLAIN = 1;
  if (quality.fine) defines.FINE = 1;
  if (name === "eyes") defines.EYES = 1;
  if (["teeth", "gums", "tongue"].includes(name)) defines.MOUTH = 1;
  if (mirror > 0) defines.WET = 1;
  if (alphaCutoff > 0) Object.assign(defines, { MASKED: 1, CUT: quality.antialias ? "0.125" : "0.5" });
  if (maps.colour) defines.MAPPED = 1;
  if (maps.surface) defines.ROUGH_MAPPED = 1;
  return new ShaderMaterial({
    name, glslVersion: GLSL3, vertexShader: VERTEX, fragmentShader: FRAGMENT, defines,
    side: doubleSided ? DoubleSide : FrontSide, alphaToCoverage: alphaCutoff > 0 && quality.antialias,
    uniforms: {
      ...shared,
      colour: { value: new Vector3(...(name === "shirt" ? tint : surface.baseColorFactor)) },
      roughness: { value: surface.roughnessFactor },
      specular: { value: name.startsWith("hair") ? HAIR_SPECULAR : SKIN_SPECULAR },
      scattering: { value: extras.scattering ?? 0 },
      mirror: { value: mirror },
      alphaCutoff: { value: alphaCutoff },
      twoSided: { value: doubleSided ? 1 : 0 },
      colourMap: { value: maps.colour },
      surfaceMap: { value: maps.surface },
    },
  });
}

export function depthMaterial(shared) {
  return new ShaderMaterial({
    glslVersion: GLSL3, vertexShader: DEPTH_VERTEX, fragmentShader: DEPTH_FRAGMENT,
    uniforms: { shadowMatrix: shared.shadowMatrix }, side: DoubleSide,
  });
}
