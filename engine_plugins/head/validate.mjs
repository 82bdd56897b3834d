// Khronos' own validator on the head's files:
//   npm install --no-save gltf-validator && node engine_plugins/head/validate.mjs FILE...
import fs from 'node:fs';
import validator from 'gltf-validator';

for (const file of process.argv.slice(2)) {
  const { issues, info } = await validator.validateBytes(new Uint8Array(fs.readFileSync(file)));
  console.log(`${file}: ${issues.numErrors} errors, ${issues.numWarnings} warnings, ${issues.numInfos} infos, ` +
    `${info.totalVertexCount} vertices, ${info.totalTriangleCount} triangles`);
  for (const { message, pointer } of issues.messages) console.log(`  ${pointer}: ${message}`);
  if (issues.numErrors + issues.numWarnings + issues.numInfos > 0) process.exitCode = 1;
}
