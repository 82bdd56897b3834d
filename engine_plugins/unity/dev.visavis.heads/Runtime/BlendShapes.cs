// Which blend shape of which mesh shows which of the 52 shapes: found by name once, written each frame.
using System.Collections.Generic;
using UnityEngine;

namespace Visavis
{
    internal sealed class BlendShapes
    {
        struct Target
        {
            public SkinnedMeshRenderer Renderer;
            public int Index, Shape;
            public float Full;    // weight at which the shape is fully there: 100 for FBX files, 1 for some importers of glTF
            public float Written; // so that what rests costs nothing
        }

        const float Step = 1e-4f; // of a full weight: smaller changes are not seen

        Target[] _targets = new Target[0];
        int _shapesFound;

        /// <summary>Blend shapes that are driven.</summary>
        internal int Count { get { return _targets.Length; } }

        /// <summary>Of the 52, those that at least one mesh has.</summary>
        internal int ShapesFound { get { return _shapesFound; } }

        internal void Bind(SkinnedMeshRenderer[] renderers)
        {
            var targets = new List<Target>();
            var found = new bool[VisavisShapes.Count];
            foreach (SkinnedMeshRenderer renderer in renderers)
            {
                Mesh mesh = renderer == null ? null : renderer.sharedMesh;
                for (int index = 0; mesh != null && index < mesh.blendShapeCount; ++index)
                {
                    int shape = VisavisShapes.Find(mesh.GetBlendShapeName(index));
                    if (shape < 0) continue;
                    float full = mesh.GetBlendShapeFrameWeight(index, mesh.GetBlendShapeFrameCount(index) - 1);
                    if (full <= 0f) full = 100f; // the mesh does not say
                    targets.Add(new Target { Renderer = renderer, Index = index, Shape = shape, Full = full, Written = -1f });
                    found[shape] = true;
                }
            }
            _targets = targets.ToArray();
            _shapesFound = 0;
            foreach (bool one in found) _shapesFound += one ? 1 : 0;
        }

        internal void Write(VisavisPose pose, float strength)
        {
            for (int i = 0; i < _targets.Length; ++i)
            {
                float weight = Mathf.Clamp01(pose.Weights[_targets[i].Shape] * strength);
                float change = weight - _targets[i].Written;
                if (change < Step && change > -Step && (weight > 0f || _targets[i].Written == 0f)) continue;
                if (_targets[i].Renderer == null) continue; // destroyed meanwhile
                _targets[i].Written = weight;
                _targets[i].Renderer.SetBlendShapeWeight(_targets[i].Index, weight * _targets[i].Full);
            }
        }
    }
}
