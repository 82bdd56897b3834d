// What the live page takes from three.js; build.mjs bundles it into three.js beside this file.
export {
  BufferAttribute, BufferGeometry, DepthTexture, DoubleSide, DynamicDrawUsage, FrontSide, GLSL3,
  LessEqualCompare, LinearFilter, LinearMipmapLinearFilter, LinearMipmapNearestFilter, Matrix3, Matrix4, Mesh,
  OrthographicCamera, PerspectiveCamera, RepeatWrapping, Scene, ShaderMaterial, Sphere, SRGBColorSpace, Texture, UnsignedIntType, Vector3, WebGLRenderer,
  WebGLRenderTarget,
} from "three";
